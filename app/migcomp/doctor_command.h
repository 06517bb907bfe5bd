/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DOCTOR_COMMAND_H
#define DOCTOR_COMMAND_H

/**
 * @file
 * `dpdk-migcomp doctor`: what this host has and lacks for a migration, a line each.
 */

/**
 * @param argc, argv  from the word "doctor" on
 * @param eal_argc    0: EAL is started in a way that works everywhere, just to see that it does;
 *   else with these words, and the ports it is given are looked at too
 * @return 0: a migration will work; 1: usage; 2: something that it needs is missing
 */
int doctor_command(int argc, char **argv, int eal_argc, char **eal_argv);

#endif
