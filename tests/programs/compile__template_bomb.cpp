template <int N> struct S { S<N - 1> a; S<N - 2> b; typedef int t; };
template <int A, int B> struct T { typedef typename T<A - 1, (B * 7 + A) % 10007>::t x; typedef typename T<A - 1, (B * 5 + 1) % 10007>::t t; };
template <int B> struct T<0, B> { typedef int t; };
int main() { T<800, 1>::t x = 0; return x; }
