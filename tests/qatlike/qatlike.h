/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef QATLIKE_H
#define QATLIKE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * Compression devices that behave like QAT, below the codec engine. The linker sends the engine's
 * calls here (--wrap, see meson.build); what is for a real device goes on to it. What it does is
 * what DPDK 22.11's driver does (drivers/compress/qat, drivers/common/qat), as read, not as seen on
 * hardware: rings, refusals, statuses, limits. The work is done by zlib when an op is dequeued:
 * real DEFLATE, read from and written to memory later than it was asked for.
 *
 * Devices and their faults come from the environment variable MIGC_QATLIKE, or from a test. A
 * specification is a list of WORD=VALUE with commas between:
 *
 *   gen=1..5             generation; without it there are no devices
 *   devices=N            of them, 1 to 8; `0000:6b:00.0_qat_comp` is the first
 *   pairs=N              queue pairs of each, 0 to 4, where not those of the generation
 *   nodes=N              NUMA nodes that they are spread over (else: any)
 *   late=N               polls until an op is done (8)
 *   threshold=N          qat_comp_enq_threshold
 *   dma=N                maps there may be (256); 0: the device cannot map
 *   reach=1              memory that is neither EAL's nor mapped cannot be read or written
 *   seed=N
 *
 * and faults, with a probability,
 *
 *   short=P              an enqueue takes less than it could
 *   refuse=P             an op is refused for ever (INVALID_ARGS)
 *   error=P              an op comes back with ERROR
 *   oos-recoverable=P    ... OUT_OF_SPACE_RECOVERABLE
 *   oos-terminated=P     ... OUT_OF_SPACE_TERMINATED
 *   stored=P             compress-and-verify fails: stored blocks
 *
 * or after so many ops of a device,
 *
 *   no-cnv=N             ops come back with ERROR and debug_status -99; from the first on, then
 *                        the device takes and gives nothing more
 *   silent=N             takes ops and gives none back
 *   vanish=N             takes nothing and gives nothing back
 *   back=SECONDS         until the device works again
 *   on=N                 the one device that these three are for (0)
 *   when=PATH            they wait until that file is there
 */

#define QATLIKE_DEVICES_MAX 8u

struct qatlike_stats {
	uint64_t ops; /**< that came back */
	uint64_t shorts, refused, errors, out_of_space, stored;
	uint64_t full; /**< enqueues that took less because the ring was full */
	uint64_t held; /**< small bursts refused for qat_comp_enq_threshold */
	uint64_t fixed_silently; /**< dynamic was asked for, with a checksum: too long */
	uint64_t split; /**< dynamic was asked for, too long */
	uint64_t reallocations; /**< chains of more than 16 segments */
	uint64_t foreign; /**< calls of a second thread to a queue pair */
	uint64_t unreachable; /**< ops with memory that is not mapped */
	uint64_t maps, unmaps, map_failures; /**< of memory, by rte_dev_dma_map() */
	uint64_t busy_closes; /**< closed with ops in flight: -EAGAIN */
};

/** Devices as MIGC_QATLIKE would have them; those there were are gone. NULL: none. */
int qatlike_configure(const char *specification);
/** Faults from now on, of all devices; what is in flight stays. */
int qatlike_faults(const char *specification);
/** Of all devices since they were configured. */
struct qatlike_stats qatlike_stats(void);
/** Ops that the devices still have. */
unsigned int qatlike_in_flight(void);
/** Is all of it mapped for DMA, at these addresses as the device sees them? */
bool qatlike_is_mapped(uint64_t iova, uint64_t bytes);
/** Bytes that are mapped. */
uint64_t qatlike_mapped_bytes(void);

#endif
