/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "doctor_private.h"

/** What is faster with it. The rest of a line of /proc/cpuinfo is thousands of characters. */
static const struct {
	const char *flag, *name;
	const char *lost; /**< without it; NULL: nothing that is worth a warning */
} wanted[] = {
	{"sse4_2", "SSE4.2", "Debian's DPDK does not start without"},
	{"avx2", "AVX2", "software compression is slower"},
	{"avx512f", "AVX-512", NULL},
	{"aes", "AES-NI", "encryption is slower by far"},
	{"vaes", "VAES", NULL},
	{"pclmulqdq", "PCLMULQDQ", "encryption is slower by far"},
};

static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
		if ((at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
	}
	return false;
}

static void append(char *list, size_t capacity, const char *text)
{
	size_t used = strlen(list);

	snprintf(list + used, capacity - used, "%s%s", used ? ", " : "", text);
}

void doctor_cpu(struct migc_doctor *d)
{
	char flags[8192], there[160] = "", absent[160] = "";
	const char *lost = NULL;

	if (doctor_line(d, "/proc/cpuinfo", "flags", flags, sizeof(flags)) != 0) {
		doctor_add(d, MIGC_DOCTOR_WARN, "CPU", "",
			   "no x86 flags in /proc/cpuinfo: not tried on such a machine");
		return;
	}
	for (unsigned int i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bool has = has_word(flags, wanted[i].flag);

		append(has ? there : absent, sizeof(there), wanted[i].name);
		if (!has && wanted[i].lost && lost == NULL)
			lost = wanted[i].lost;
	}
	if (lost)
		doctor_add(d, MIGC_DOCTOR_WARN, "CPU",
			   "in a virtual machine: give it the host's CPU (QEMU: -cpu host)",
			   "has not: %s: %s", absent, lost);
	else
		doctor_add(d, MIGC_DOCTOR_OK, "CPU", NULL, "%s%s%s", there,
			   absent[0] ? "; not " : "", absent);
}
