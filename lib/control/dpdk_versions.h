/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DPDK_VERSIONS_H
#define DPDK_VERSIONS_H

#include <rte_lcore.h>
#include <rte_telemetry.h>
#include <rte_thread.h>
#include <rte_version.h>

/**
 * @file
 * What DPDK 22.11 calls otherwise than later releases: by the later names. The only place that asks
 * for a version (doc/design/dpdk-versions.md).
 */

#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_array_uint rte_tel_data_add_array_u64
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#define RTE_TEL_UINT_VAL RTE_TEL_U64_VAL
#endif

#if RTE_VERSION < RTE_VERSION_NUM(23, 11, 0, 0)
/** What the function of a control thread returns; nobody asks for it. */
typedef void *dpdk_thread_result;
#define rte_thread_create_control(thread, name, func, arg) \
	rte_ctrl_thread_create(&(thread)->opaque_id, (name), NULL, (func), (arg))
#else
typedef uint32_t dpdk_thread_result;
#endif

#endif
