int main(){ volatile int a = 1, b = 0; return a / b; }
