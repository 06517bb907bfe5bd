/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest of scripts/bench's live runs: no operating system, 32-bit, loaded by multiboot. Its RAM
 * is a file with the image already in it; it rewrites one word of each page of a working set in
 * turn, at a steady rate. Parameters, on the command line that QEMU hands over:
 *   rate=N  MB/s (10^6 bytes of pages)   set=N  MiB of the working set   base=N  MiB where it
 * begins The HPET says how much time has passed, so that late interrupts do not lower the rate; the
 * PIT's interrupts end the halts in between, so that the guest takes no more of a core than it
 * needs.
 */
#include <stdint.h>

#define STATUS_ADDRESS 0x6000u /* free once the firmware is done; bench_guest.py reads it */
#define HPET_ADDRESS 0xfed00000u
#define HPET_PERIOD 1u /* index of the register, in words: femtoseconds a tick */
#define HPET_CONFIG 4u
#define HPET_COUNTER 60u
#define TICK_HZ 500u
#define PIT_HZ 1193182u
#define PAGE_SHIFT 12u
#define SLOW_US 20000u /* after a longer pause the lost time is not made up for */

struct status {
	uint32_t magic, written_pages, ticks;
};

struct gate {
	uint16_t offset_low, selector, flags, offset_high;
};

struct table_register {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

struct workload {
	uint32_t first_page, pages, pages_per_second;
};

void guest_main(const uint32_t *boot_info);
void guest_tick(void);
void guest_tick_entry(void);

/* Multiboot's header (magic, flags, checksum), the stack, and the only interrupt's entry. */
__asm__(".section .multiboot, \"a\"\n"
	".long 0x1badb002, 0, -0x1badb002\n"
	".text\n"
	".globl guest_start\n"
	"guest_start: cli\n"
	"mov $guest_stack_end, %esp\n"
	"push %ebx\n"
	"call guest_main\n"
	".globl guest_tick_entry\n"
	"guest_tick_entry: pusha\n"
	"call guest_tick\n"
	"popa\n"
	"iret\n"
	".bss\n"
	".align 16\n"
	".skip 8192\n"
	"guest_stack_end:\n"
	".text\n");

static const uint64_t segments[] = {0, UINT64_C(0x00cf9a000000ffff), UINT64_C(0x00cf92000000ffff)};
static struct gate gates[33];

static void out_byte(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static volatile uint32_t *words_at(uint32_t address)
{
	return (volatile uint32_t *)address;
}

static volatile struct status *status(void)
{
	return (volatile struct status *)STATUS_ADDRESS;
}

/*
 * QEMU 7.2's own migration under TCG misses writes to a page whose translation the CPU keeps: the
 * page with the status and the one with the stack were out of date at the destination. A
 * translation that is dropped before the write has the write seen.
 */
static void forget_translation(const volatile void *address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* The number behind "name=", 0 without it. */
static uint32_t parameter(const char *line, const char *name)
{
	for (; *line != '\0'; line++) {
		const char *at = line, *n = name;
		uint32_t number = 0;

		while (*n != '\0' && *at == *n) {
			at++;
			n++;
		}
		if (*n != '\0' || *at != '=')
			continue;
		for (at++; *at >= '0' && *at <= '9'; at++)
			number = number * 10 + (uint32_t)(*at - '0');
		return number;
	}
	return 0;
}

void guest_tick(void)
{
	out_byte(0x20, 0x20);
	status()->ticks++;
}

static void load_tables(void)
{
	const struct table_register gdt = {sizeof(segments) - 1, (uint32_t)segments};
	const struct table_register idt = {sizeof(gates) - 1, (uint32_t)gates};
	const uint32_t entry = (uint32_t)guest_tick_entry;

	gates[32] = (struct gate){(uint16_t)entry, 8, 0x8e00, (uint16_t)(entry >> 16)};
	__asm__ volatile("lgdt %0\n"
			 "lidt %1\n"
			 "ljmp $8, $1f\n"
			 "1: mov %2, %%ds\n"
			 "mov %2, %%es\n"
			 "mov %2, %%ss\n"
			 :
			 : "m"(gdt), "m"(idt), "r"(16)
			 : "memory");
}

/* Interrupt 32 is the PIT's; all others stay masked. */
static void start_ticks(void)
{
	const uint16_t divisor = PIT_HZ / TICK_HZ;
	static const uint8_t first[] = {0x11, 32, 4, 1, 0xfe}, second[] = {0x11, 40, 2, 1, 0xff};

	out_byte(0x20, first[0]);
	out_byte(0xa0, second[0]);
	for (unsigned int i = 1; i < sizeof(first); i++) {
		out_byte(0x21, first[i]);
		out_byte(0xa1, second[i]);
	}
	out_byte(0x43, 0x34);
	out_byte(0x40, divisor & 0xff);
	out_byte(0x40, divisor >> 8);
}

static void write_pages(const struct workload *work, uint32_t count)
{
	static uint32_t next;

	forget_translation(&next);
	while (count-- > 0) {
		volatile uint32_t *page = words_at((work->first_page + next) << PAGE_SHIFT);

		forget_translation(page);
		/* another word of the page each time it comes by */
		page[status()->written_pages % 1024] += 0x9e3779b9u;
		status()->written_pages++;
		if (++next == work->pages)
			next = 0;
	}
}

static void rewrite_forever(const struct workload *work)
{
	volatile uint32_t *hpet = words_at(HPET_ADDRESS);
	const uint32_t per_us = 1000000000u / hpet[HPET_PERIOD];
	uint32_t owed = 0; /* pages times 10^6 */
	uint32_t last;

	hpet[HPET_CONFIG] |= 1;
	last = hpet[HPET_COUNTER];
	for (;;) {
		uint32_t us;

		forget_translation(status());
		forget_translation(__builtin_frame_address(0));
		/* hlt comes before any interrupt that sti lets in */
		__asm__ volatile("sti; hlt; cli" : : : "memory");
		us = (hpet[HPET_COUNTER] - last) / per_us;
		last += us * per_us;
		if (us > SLOW_US)
			us = SLOW_US;
		owed += us * work->pages_per_second;
		write_pages(work, owed / 1000000);
		owed %= 1000000;
	}
}

void guest_main(const uint32_t *boot_info)
{
	const char *line = (const char *)boot_info[4];
	const struct workload work = {
		.first_page = parameter(line, "base") << (20 - PAGE_SHIFT),
		.pages = parameter(line, "set") << (20 - PAGE_SHIFT),
		.pages_per_second = parameter(line, "rate") * 1000000u >> PAGE_SHIFT,
	};

	load_tables();
	start_ticks();
	status()->written_pages = 0;
	status()->ticks = 0;
	status()->magic = 0x6d696763;
	rewrite_forever(&work);
}
