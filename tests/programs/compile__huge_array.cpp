char big[3000000000] = {1};
int main() { return big[5]; }
