/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LANES_H
#define LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "lane.h"
#include "migc_error.h"
#include "migc_log.h"
#include "migc_parse.h"

/**
 * @file
 * The port and all lanes: one a worker lcore, or one that the main lcore runs in turn when EAL
 * has no other. They are set up once a process; sessions and their workers come and go.
 */

struct lanes_config {
	const char *ethdev; /**< NULL: the first */
	struct migc_prefix address;
	uint32_t gateway; /**< 0: none */
	uint16_t mtu; /**< 0: the port's */
	uint16_t udp_port_base; /**< of slot 0 in lane 0; 0: ephemeral, chosen at random */
	unsigned int sessions; /**< slots that are used, from 0 on: each has a port in each lane */
	struct migc_inject_spec inject;
	/** The main lcore does nothing but lanes_attend(), controllers are other threads. */
	bool attended;
	const struct migc_log *log;
};

struct lanes {
	struct migc_port *port;
	struct migc_port_info info;
	struct lane *lane;
	unsigned int count;
	uint16_t udp_port_base;
	bool single; /**< one lcore: whoever waits runs the lane meanwhile, lanes_pump() */
	bool attended; /**< one lcore, and lanes_attend() runs the lane: never `single` as well */
	bool launched;
	unsigned int running; /**< lanes that another thread than the controllers' runs */
	bool reviving; /**< the port is off, and being started again */
	bool port_lost; /**< that was told, and nothing better since */
	uint64_t port_looked_ns;
	const struct migc_log *log;
};

/** Main lcore, all of them. @return 0, -errno: nothing is left open. */
int lanes_open(const struct lanes_config *config, struct lanes **out, struct migc_error *err);
/** Lcores begin to run their lanes. */
int lanes_launch(struct lanes *lanes, struct migc_error *err);
/** Lcores end. Workers stay where they are. */
void lanes_stop(struct lanes *lanes);
/** After lanes_stop(), and after all workers were taken out. */
void lanes_close(struct lanes *lanes);
/** Let time pass: one lcore: a turn of its lane; else sleep. A controller's thread. */
void lanes_pump(struct lanes *lanes, long sleep_ns);
/** Main lcore, again and again until it is time for lanes_stop(): a turn of its lane, or sleep. */
void lanes_attend(struct lanes *lanes, long sleep_ns);
/**
 * Main lcore, often: a port that has lost its peer for good (migc_port_forsaken()) is started
 * again, each second until it is connected. The lanes run on and do without it meanwhile.
 */
void lanes_mind_port(struct lanes *lanes, uint64_t now_ns);
/** The lanes have let go of whoever was in this slot, and touch nothing of it any more. */
void lanes_await_detached(struct lanes *lanes, unsigned int slot);
/** UDP port of a slot in lane 0. */
uint16_t lanes_udp_port(const struct lanes *lanes, unsigned int slot);

#endif
