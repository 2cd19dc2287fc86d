// A multiboot kernel for tests of debuggers: it computes a few squares on a bare
// machine, prints their sum to port E9h as a letter and ends by port F4h. It is built by
// the command in program.sh, without a library.

typedef unsigned int u32;

__attribute__((section(".multiboot"), used)) static const u32 header[] = {0x1BADB002, 0, 0xE4524FFE};

__attribute__((used)) static char stack[4096];
volatile int total;
volatile int history[8];
const char *greeting = "hello";

static void out(unsigned short port, unsigned char value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

__attribute__((noinline)) int square(int n) {
	int result = n * n;
	return result;
}

__attribute__((noinline)) int sum(int count) {
	for (int i = 0; i < count; i++) {
		int s = square(i);
		history[i & 7] = s;
		total += s;
	}
	return total;
}

__attribute__((used)) void main(void) {
	int t = sum(5);
	out(0xE9, 'A' + t);
	out(0xF4, t);
	for (;;)
		__asm__ volatile("hlt");
}

__attribute__((naked, used)) void _start(void) { __asm__ volatile("movl $stack + 4096, %esp\n\txorl %ebp, %ebp\n\tcall main\n1:\thlt\n\tjmp 1b"); }
