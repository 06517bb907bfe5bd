/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <rte_build_config.h>

#include "made_up_tree.h"
#include "migc_doctor.h"

#define PF "0000:6b:00.0"
#define VF "0000:6b:00.1"

struct rig {
	struct made_up_tree tree;
	struct migc_doctor doctor;
	struct migc_doctor_answers answers;
};

static int make(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	made_up_tree_make(&rig->tree);
	rig->answers.memlock_bytes = UINT64_MAX;
	rig->answers.packet_socket = true;
	*state = rig;
	return 0;
}

static int take_away(void **state)
{
	struct rig *rig = *state;

	made_up_tree_remove(&rig->tree);
	free(rig);
	return 0;
}

static void look(struct rig *rig)
{
	migc_doctor_init(&rig->doctor, rig->tree.root);
	migc_doctor_host(&rig->doctor, &rig->answers);
}

/** Exactly one finding of that name; it has the level, and the words in text or remedy. */
static const struct migc_doctor_finding *expect(const struct rig *rig, const char *what,
						enum migc_doctor_level level, const char *words)
{
	const struct migc_doctor_finding *found = NULL;

	for (unsigned int i = 0; i < rig->doctor.count; i++) {
		const struct migc_doctor_finding *f = &rig->doctor.finding[i];

		if (strcmp(f->what, what) != 0)
			continue;
		if (found)
			fail_msg("%s is said twice: '%s', '%s'", what, found->text, f->text);
		found = f;
	}
	if (found == NULL)
		fail_msg("nothing about %s", what);
	if (found->level != level || (!strstr(found->text, words) && !strstr(found->remedy, words)))
		fail_msg("%s is '%s' (%s), '%s'; not '%s'", what, found->text, found->remedy,
			 migc_doctor_level_name(found->level), words);
	/* whatever is not all right has a remedy */
	assert_true(level == MIGC_DOCTOR_OK || found->remedy[0]);
	return found;
}

static void plain_host_works_in_software(void **state)
{
	struct rig *rig = *state;

	look(rig);
	assert_true(migc_doctor_works(&rig->doctor));
	expect(rig, "CPU", MIGC_DOCTOR_OK, "AVX2");
	expect(rig, "IOMMU", MIGC_DOCTOR_WARN, "intel_iommu=on");
	expect(rig, "QAT", MIGC_DOCTOR_WARN, "software compresses");
	expect(rig, "NIC for DPDK", MIGC_DOCTOR_WARN, "none of 1");
	expect(rig, "af_packet", MIGC_DOCTOR_OK, "eth0");
	expect(rig, "huge pages", MIGC_DOCTOR_WARN, "nr_hugepages");
	expect(rig, "memory", MIGC_DOCTOR_OK, "8192 MiB");
	expect(rig, "privileges", MIGC_DOCTOR_OK, "any QEMU");
	expect(rig, "memlock", MIGC_DOCTOR_OK, "no limit");
}

static void missing_cpu_features_are_named(void **state)
{
	struct rig *rig = *state;

	made_up_tree_write(&rig->tree, "flags : sse4_2 aes pclmulqdq avx avx512f", "/proc/cpuinfo");
	look(rig);
	expect(rig, "CPU", MIGC_DOCTOR_WARN, "AVX2, VAES");
	made_up_tree_write(&rig->tree, "flags : sse4_2 aes pclmulqdq avx2", "/proc/cpuinfo");
	look(rig);
	/* what is only faster is no warning */
	expect(rig, "CPU", MIGC_DOCTOR_OK, "not AVX-512, VAES");
}

static void huge_pages_are_counted(void **state)
{
	static const char pool[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
	struct rig *rig = *state;

	made_up_tree_write(&rig->tree, "64", "%snr_hugepages", pool);
	look(rig);
	expect(rig, "huge pages", MIGC_DOCTOR_WARN, "all in use");
	made_up_tree_write(&rig->tree, "60", "%sfree_hugepages", pool);
	look(rig);
	expect(rig, "huge pages", MIGC_DOCTOR_OK, "64 of 2 MiB, 60 free");
}

static void little_memory_is_a_warning(void **state)
{
	struct rig *rig = *state;

	made_up_tree_write(&rig->tree, "MemAvailable: 100000 kB", "/proc/meminfo");
	look(rig);
	expect(rig, "memory", MIGC_DOCTOR_WARN, "97 MiB");
}

/* ---- QAT ---- */

static void every_generation_is_known(void **state)
{
	static const struct {
		const char *name, *driver;
		unsigned int pf, vf;
	} families[] = {
		{"DH895xCC", "dh895xcc", 0x0435, 0x0443}, {"C62x", "c6xx", 0x37c8, 0x37c9},
		{"C3xxx", "c3xxx", 0x19e2, 0x19e3},       {"D15xx", "d15xx", 0x6f54, 0x6f55},
		{"200xx", "200xx", 0x18ee, 0x18ef},       {"C4xxx", "c4xxx", 0x18a0, 0x18a1},
		{"4xxx", "4xxx", 0x4940, 0x4941},         {"401xx", "4xxx", 0x4942, 0x4943},
		{"402xx", "4xxx", 0x4944, 0x4945},        {"420xx", "420xx", 0x4946, 0x4947},
	};
	struct rig *rig = *state;

	for (unsigned int i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		made_up_tree_pci(&rig->tree, PF, families[i].pf, 0x0b40, families[i].driver);
		made_up_tree_vf(&rig->tree, PF, 0, VF, families[i].vf, "vfio-pci");
		look(rig);
		expect(rig, "QAT", MIGC_DOCTOR_OK, families[i].name);
		assert_int_equal(rig->doctor.vfio_devices, 1);
		expect(rig, "IOMMU", MIGC_DOCTOR_OK, "on");
	}
}

static void qat_without_driver(void **state)
{
	struct rig *rig = *state;

	made_up_tree_pci(&rig->tree, PF, 0x4940, 0x0b40, NULL);
	look(rig);
	expect(rig, "QAT", MIGC_DOCTOR_WARN, "kernel driver 4xxx");
	expect(rig, "QAT", MIGC_DOCTOR_WARN, "drivers-config/qat/setup --device " PF);
	assert_true(migc_doctor_works(&rig->doctor));
}

static void qat_with_other_services(void **state)
{
	static const char *const not_dc[] = {"sym;asym", "sym", "dcc", "asym;dcc"};
	static const char *const dc[] = {"dc", "sym;dc", "dc;asym"};
	struct rig *rig = *state;

	made_up_tree_pci(&rig->tree, PF, 0x4940, 0x0b40, "4xxx");
	made_up_tree_vf(&rig->tree, PF, 0, VF, 0x4941, "vfio-pci");
	for (unsigned int i = 0; i < sizeof(not_dc) / sizeof(not_dc[0]); i++) {
		made_up_tree_write(&rig->tree, not_dc[i],
				   "/sys/bus/pci/devices/" PF "/qat/cfg_services");
		look(rig);
		expect(rig, "QAT", MIGC_DOCTOR_WARN, not_dc[i]);
	}
	for (unsigned int i = 0; i < sizeof(dc) / sizeof(dc[0]); i++) {
		made_up_tree_write(&rig->tree, dc[i],
				   "/sys/bus/pci/devices/" PF "/qat/cfg_services");
		look(rig);
		expect(rig, "QAT", MIGC_DOCTOR_OK, "1 of 1");
	}
}

static void qat_without_vfs_and_with_unbound_ones(void **state)
{
	struct rig *rig = *state;

	made_up_tree_pci(&rig->tree, PF, 0x37c8, 0x0b40, "c6xx");
	look(rig);
	expect(rig, "QAT", MIGC_DOCTOR_WARN, "no virtual functions");
	made_up_tree_vf(&rig->tree, PF, 0, VF, 0x37c9, "c6xxvf");
	look(rig);
	expect(rig, "QAT", MIGC_DOCTOR_WARN, "bound to vfio-pci");
	assert_int_equal(rig->doctor.vfio_devices, 0);
}

static void qat_whose_group_may_not_be_opened(void **state)
{
	char path[256];
	struct rig *rig = *state;

	made_up_tree_pci(&rig->tree, PF, 0x37c8, 0x0b40, "c6xx");
	made_up_tree_vf(&rig->tree, PF, 0, VF, 0x37c9, "vfio-pci");
	snprintf(path, sizeof(path), "%s/dev/vfio/100", rig->tree.root);
	unlink(path);
	look(rig);
	expect(rig, "QAT", MIGC_DOCTOR_WARN, "may not open");
}

static void qat_that_is_newer_than_dpdk(void **state)
{
	static const char library[] =
		"PMD_INFO_STRING= {\"name\": \"qat\", \"pci_ids\": [[32902, 18753, 65535, 65535]]}";
	struct rig *rig = *state;

	made_up_tree_write(&rig->tree, "", "%s/librte_common_qat.so", RTE_EAL_PMD_PATH);
	made_up_tree_pci(&rig->tree, PF, 0x4944, 0x0b40, "4xxx");
	made_up_tree_vf(&rig->tree, PF, 0, VF, 0x4945, "vfio-pci");
	look(rig);
	/* a library that says nothing decides nothing */
	expect(rig, "QAT", MIGC_DOCTOR_OK, "402xx");
	{
		char path[512];
		FILE *f;

		snprintf(path, sizeof(path), "%s%s/librte_common_qat.so", rig->tree.root,
			 RTE_EAL_PMD_PATH);
		f = fopen(path, "w");
		assert_non_null(f);
		fwrite(library, sizeof(library), 1, f);
		fclose(f);
	}
	look(rig);
	expect(rig, "QAT", MIGC_DOCTOR_WARN, "23.11");
	made_up_tree_pci(&rig->tree, PF, 0x4940, 0x0b40, "4xxx");
	made_up_tree_vf(&rig->tree, PF, 0, VF, 0x4941, "vfio-pci");
	look(rig);
	expect(rig, "QAT", MIGC_DOCTOR_OK, "4xxx");
}

static void qat_vf_in_a_virtual_machine(void **state)
{
	char path[256];
	struct rig *rig = *state;

	made_up_tree_vf(&rig->tree, PF, 0, VF, 0x4941, "vfio-pci");
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/" VF "/physfn", rig->tree.root);
	unlink(path);
	look(rig);
	expect(rig, "QAT", MIGC_DOCTOR_OK, VF);
}

/* ---- ports ---- */

static void more_devices_than_can_be_listed_hide_nothing_that_is_missing(void **state)
{
	struct rig *rig = *state;

	/* a VM with all virtual functions of several cards */
	for (unsigned int i = 0; i < 2 * MIGC_DOCTOR_FINDINGS_MAX; i++) {
		char bdf[16];

		snprintf(bdf, sizeof(bdf), "0000:%02x:%02x.%u", 0x80 + i / 256, i / 8 % 32, i % 8);
		made_up_tree_pci(&rig->tree, bdf, 0x4941, 0x0b40, "vfio-pci");
	}
	rig->answers.packet_socket = false;
	look(rig);
	assert_int_equal(rig->doctor.count, MIGC_DOCTOR_FINDINGS_MAX);
	expect(rig, "network port", MIGC_DOCTOR_MISSING, "CAP_NET_RAW");
	assert_false(migc_doctor_works(&rig->doctor));
}

static void nic_on_vfio_makes_a_port(void **state)
{
	struct rig *rig = *state;

	made_up_tree_vf(&rig->tree, PF, 0, "0000:17:00.0", 0x1592, "vfio-pci");
	made_up_tree_pci(&rig->tree, "0000:17:00.0", 0x1592, 0x0200, "vfio-pci");
	rig->answers.packet_socket = false;
	look(rig);
	expect(rig, "NIC for DPDK", MIGC_DOCTOR_OK, "0000:17:00.0");
	expect(rig, "af_packet", MIGC_DOCTOR_OK, "not needed");
	assert_true(migc_doctor_works(&rig->doctor));
}

static void mellanox_nic_needs_no_vfio(void **state)
{
	struct rig *rig = *state;

	made_up_tree_pci(&rig->tree, "0000:18:00.0", 0x1017, 0x0200, "mlx5_core");
	look(rig);
	expect(rig, "NIC for DPDK", MIGC_DOCTOR_OK, "0000:18:00.0");
}

static void no_way_out_is_missing(void **state)
{
	struct rig *rig = *state;

	rig->answers.packet_socket = false;
	look(rig);
	expect(rig, "network port", MIGC_DOCTOR_MISSING, "CAP_NET_RAW");
	assert_false(migc_doctor_works(&rig->doctor));
	rig->answers.packet_socket = true;
	/* CAP_NET_RAW (13) alone does not start the port */
	made_up_tree_write(&rig->tree, "CapEff:\t0000000000002000", "/proc/self/status");
	look(rig);
	expect(rig, "network port", MIGC_DOCTOR_MISSING, "CAP_NET_ADMIN");
	made_up_tree_write(&rig->tree, "CapEff:\t0000000000003000", "/proc/self/status");
	look(rig);
	expect(rig, "af_packet", MIGC_DOCTOR_OK, "possible");
	made_up_tree_write(&rig->tree, "down", "/sys/class/net/eth0/operstate");
	look(rig);
	expect(rig, "network port", MIGC_DOCTOR_MISSING, "no Ethernet interface is up");
}

/* ---- rights and kernel ---- */

static void old_kernel_has_the_hash_only(void **state)
{
	struct rig *rig = *state;

	strcpy(rig->answers.features.missing, "PAGEMAP_SCAN (Linux 6.7)");
	look(rig);
	expect(rig, "dirty tracker", MIGC_DOCTOR_WARN, "PAGEMAP_SCAN");
	assert_true(migc_doctor_works(&rig->doctor));
}

static void ptrace_needs_the_capability_or_yama_off(void **state)
{
	struct rig *rig = *state;

	made_up_tree_write(&rig->tree, "CapEff:\t0000000000000000", "/proc/self/status");
	look(rig);
	expect(rig, "privileges", MIGC_DOCTOR_OK, "this user");
	made_up_tree_write(&rig->tree, "1", "/proc/sys/kernel/yama/ptrace_scope");
	look(rig);
	expect(rig, "privileges", MIGC_DOCTOR_WARN, "cap_sys_ptrace");
	/* CAP_SYS_PTRACE is bit 19 */
	made_up_tree_write(&rig->tree, "CapEff:\t0000000000080000", "/proc/self/status");
	look(rig);
	expect(rig, "privileges", MIGC_DOCTOR_OK, "this user");
}

static void memlock_matters_with_devices_that_do_dma(void **state)
{
	struct rig *rig = *state;

	made_up_tree_write(&rig->tree, "CapEff:\t0000000000000000", "/proc/self/status");
	rig->answers.memlock_bytes = 8 << 20;
	look(rig);
	expect(rig, "memlock", MIGC_DOCTOR_OK, "8 MiB");
	made_up_tree_pci(&rig->tree, PF, 0x37c8, 0x0b40, "c6xx");
	made_up_tree_vf(&rig->tree, PF, 0, VF, 0x37c9, "vfio-pci");
	look(rig);
	expect(rig, "memlock", MIGC_DOCTOR_WARN, "ulimit -l");
	/* CAP_IPC_LOCK is bit 14 */
	made_up_tree_write(&rig->tree, "CapEff:\t0000000000004000", "/proc/self/status");
	look(rig);
	expect(rig, "memlock", MIGC_DOCTOR_OK, "no limit");
}

static void empty_tree_says_what_is_missing(void **state)
{
	struct rig *rig = *state;

	rig->answers.packet_socket = false;
	migc_doctor_init(&rig->doctor, "/nonexistent");
	migc_doctor_host(&rig->doctor, &rig->answers);
	assert_false(migc_doctor_works(&rig->doctor));
}

/* ---- QEMU and report ---- */

static void qemu_that_is_not_there_is_missing(void **state)
{
	struct rig *rig = *state;

	look(rig);
	migc_doctor_qemu(&rig->doctor, "/nonexistent/qmp");
	assert_false(migc_doctor_works(&rig->doctor));
	assert_non_null(
		strstr(rig->doctor.finding[rig->doctor.count - 1].text, "/nonexistent/qmp"));
}

static void report_has_all_findings(void **state)
{
	char path[256];
	struct rig *rig = *state;
	struct migc_error err = {0};
	json_t *json, *list;

	rig->answers.packet_socket = false;
	made_up_tree_write(&rig->tree, "\xff\xfe", "/sys/bus/pci/devices/" PF "/qat/cfg_services");
	made_up_tree_pci(&rig->tree, PF, 0x4940, 0x0b40, "4xxx");
	look(rig);
	snprintf(path, sizeof(path), "%s/report", rig->tree.root);
	assert_int_equal(migc_doctor_write(&rig->doctor, path, &err), 0);
	json = json_load_file(path, 0, NULL);
	assert_non_null(json);
	assert_true(json_is_false(json_object_get(json, "works")));
	list = json_object_get(json, "findings");
	assert_int_equal(json_array_size(list), rig->doctor.count);
	for (unsigned int i = 0; i < rig->doctor.count; i++) {
		json_t *one = json_array_get(list, i);

		assert_string_equal(json_string_value(json_object_get(one, "level")),
				    migc_doctor_level_name(rig->doctor.finding[i].level));
		assert_string_equal(json_string_value(json_object_get(one, "what")),
				    rig->doctor.finding[i].what);
		assert_true(json_is_string(json_object_get(one, "text")));
	}
	json_decref(json);
	assert_true(migc_doctor_write(&rig->doctor, "/nonexistent/report", &err) < 0);
	assert_non_null(strstr(err.text, "/nonexistent/report"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, take_away)
		TEST(plain_host_works_in_software),
		TEST(missing_cpu_features_are_named),
		TEST(huge_pages_are_counted),
		TEST(little_memory_is_a_warning),
		TEST(every_generation_is_known),
		TEST(qat_without_driver),
		TEST(qat_with_other_services),
		TEST(qat_without_vfs_and_with_unbound_ones),
		TEST(qat_whose_group_may_not_be_opened),
		TEST(qat_that_is_newer_than_dpdk),
		TEST(qat_vf_in_a_virtual_machine),
		TEST(more_devices_than_can_be_listed_hide_nothing_that_is_missing),
		TEST(nic_on_vfio_makes_a_port),
		TEST(mellanox_nic_needs_no_vfio),
		TEST(no_way_out_is_missing),
		TEST(old_kernel_has_the_hash_only),
		TEST(ptrace_needs_the_capability_or_yama_off),
		TEST(memlock_matters_with_devices_that_do_dma),
		TEST(empty_tree_says_what_is_missing),
		TEST(qemu_that_is_not_there_is_missing),
		TEST(report_has_all_findings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
