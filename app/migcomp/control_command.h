/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONTROL_COMMAND_H
#define CONTROL_COMMAND_H

#include <stdbool.h>

/**
 * @file
 * `dpdk-migcomp status|cancel|continue|set`: clients of the control socket of a running
 * dpdk-migcomp. Without EAL.
 */

/** Is it one of these? */
bool control_command_is(const char *word);
/**
 * @param argc, argv from that word on
 * @return 0: done; 1: usage, or refused: nothing was changed; 2: nobody could be asked: none runs,
 *   this user may not, no answer
 */
int control_command(int argc, char **argv);

#endif
