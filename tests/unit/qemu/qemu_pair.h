/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef QEMU_PAIR_H
#define QEMU_PAIR_H

#include <sys/types.h>

#include "migc_qemu.h"

/** @file Real QEMUs for tests: firmware only, TCG, files in a directory of their own. */

#define MIB(n) (UINT64_C(n) << 20)
#define FILE_MEMORY                                                   \
	"-m", "128", "-machine", "q35,memory-backend=mem", "-object", \
		"memory-backend-file,id=mem,size=128M,mem-path=MEMORY,share=on"

struct vm {
	char directory[64];
	char qmp[96];
	char memory[96]; /**< in /dev/shm, for those that have a file */
	pid_t pid;
	struct migc_qemu *qemu;
	struct migc_guestmem *gm;
};

/** @return whether there is a QEMU to test with. */
bool vm_available(void);
/** Start with these words besides the common ones (ended by NULL; "MEMORY" in one of them becomes
 * the file's path). */
void vm_start(struct vm *vm, const char *const *words);
/** migc_qemu_open(), with a new guest memory. */
int vm_open(struct vm *vm, bool destination, struct migc_error *err);
/** Both of them; the test is skipped without a QEMU, and fails with what was wrong. */
void vm_begin(struct vm *vm, const char *const *words, bool destination);
/** migc_qemu_discover(), or the test fails. */
void vm_discover(struct vm *vm);
/** A source's, as far as pre-switchover, or the test fails. */
void vm_reach_pre_switchover(const struct vm *vm);
void vm_kill(struct vm *vm);
/** Everything away, whatever the state; a vm of zeros is fine. */
void vm_end(struct vm *vm);
/** Ask over a second monitor. @return whether query-status says running. */
bool vm_runs(const struct vm *vm);
/** The command stop over the second monitor. @return whether it was answered. */
bool vm_pause(const struct vm *vm);
/** Any command over the second monitor. @return whether the answer has `word`. */
bool vm_says(const struct vm *vm, const char *command, const char *arguments, const char *word);

#endif
