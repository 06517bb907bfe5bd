/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include "port_rig.h"

static struct migc_port *opened(const char *name, uint16_t workers, uint16_t mtu)
{
	struct migc_port_config config = {.name = name, .workers = workers, .mtu = mtu};
	struct migc_error err = {0};
	struct migc_port *port = NULL;

	if (migc_port_open(&config, &port, &err) != 0)
		fail_msg("%s", err.text);
	return port;
}

static int refused(const char *name, uint16_t workers, uint16_t mtu, const char *says)
{
	struct migc_port_config config = {.name = name, .workers = workers, .mtu = mtu};
	struct migc_error err = {0};
	struct migc_port *port;
	int rc = migc_port_open(&config, &port, &err);

	assert_null(port);
	if (strstr(err.text, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, says);
	return rc;
}

static void a_port_that_is_not_there_is_refused_with_those_that_are(void **state)
{
	(void)state;
	assert_int_equal(refused("net_none0", 1, 0, "net_memif0"), -ENODEV);
}

/* A port that was refused is closed, so each refusal has one of its own. */
static void an_mtu_it_cannot_carry_is_refused(void **state)
{
	(void)state;
	assert_int_equal(refused("net_ring1", 1, 1279, "1280"), -EINVAL);
	assert_int_equal(refused("net_memif2", 1, 9300, "bsize="), -EINVAL);
	assert_int_equal(refused("net_memif0", 0, 0, "workers"), -EINVAL);
}

static void queues_are_at_most_those_of_the_port(void **state)
{
	struct migc_port *port = opened("net_ring0", 4, 0);
	struct migc_port_info info;

	(void)state;
	migc_port_info(port, &info);
	assert_in_range(info.queues, 1, 4);
	assert_string_equal(info.name, "net_ring0");
	for (unsigned int worker = 0; worker < 4; worker++) {
		struct rte_mempool *pool = migc_port_pool(port, worker);

		assert_non_null(pool);
		assert_true(migc_port_queue(&info, worker) < info.queues);
		assert_true(rte_pktmbuf_data_room_size(pool) >=
			    RTE_PKTMBUF_HEADROOM + 14 + info.mtu);
	}
	migc_port_close(port);
	assert_null(rte_mempool_lookup("packets-0-0"));
}

/** memif's server and client in one process: what one sends, the other has, at a jumbo's size. */
static void frames_of_9000_bytes_pass_through_memif(void **state)
{
	struct migc_port *server = opened("net_memif0", 1, 9000),
			 *client = opened("net_memif1", 1, 9000);
	struct migc_port_info from, to;
	unsigned int received = 0;

	(void)state;
	migc_port_info(client, &from);
	migc_port_info(server, &to);
	assert_int_equal(from.mtu, 9000);
	assert_int_equal(migc_port_wait_link(client, 5000), 0);
	assert_int_equal(migc_port_wait_link(server, 5000), 0);
	for (unsigned int sent = 0; sent < 1000; sent++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(migc_port_pool(client, 0)), *in[8];
		char *data = m ? rte_pktmbuf_append(m, 9014) : NULL;
		uint16_t n;

		if (data == NULL)
			abort();
		memset(data, (int)sent, 9014);
		while (rte_eth_tx_burst(from.port_id, 0, &m, 1) == 0)
			;
		for (unsigned int wait = 0; wait < 1000000 && received <= sent; wait++) {
			n = rte_eth_rx_burst(to.port_id, 0, in, 8);
			for (uint16_t i = 0; i < n; i++) {
				assert_int_equal(in[i]->pkt_len, 9014);
				assert_int_equal(*rte_pktmbuf_mtod_offset(in[i], uint8_t *, 9013),
						 (uint8_t)received);
				received++;
				rte_pktmbuf_free(in[i]);
			}
		}
	}
	assert_int_equal(received, 1000);
	migc_port_close(client);
	migc_port_close(server);
}

static char socket_path[64];

/** @return what became of an attempt to start it again. */
static int revive(struct migc_port *port)
{
	int rc = migc_port_revive(port);

	assert_int_equal(rc, 0);
	while ((rc = migc_port_revived(port)) == -EINPROGRESS)
		rte_delay_us_sleep(1000);
	return rc;
}

static void plug(const char *name, const char *role, const char *path)
{
	char words[160];

	snprintf(words, sizeof(words), "role=%s,bsize=9216,socket-abstract=no,socket=%s", role,
		 path);
	assert_int_equal(rte_eal_hotplug_add("vdev", name, words), 0);
}

static void a_memif_client_finds_a_server_that_was_started_again(void **state)
{
	struct migc_port *server, *client;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/tmp/migc-revive-%d.sock", (int)getpid());
	plug("net_memif3", "server", path);
	plug("net_memif4", "client", path);
	server = opened("net_memif3", 1, 9000);
	client = opened("net_memif4", 1, 9000);
	assert_int_equal(migc_port_wait_link(client, 5000), 0);
	assert_false(migc_port_forsaken(client));
	migc_port_close(server);
	rte_eal_hotplug_remove("vdev", "net_memif3");
	for (unsigned int wait = 0; wait < 5000 && !migc_port_forsaken(client); wait++)
		rte_delay_us_sleep(1000);
	assert_true(migc_port_forsaken(client));
	plug("net_memif3", "server", path);
	server = opened("net_memif3", 1, 9000);
	/* the server waits to be found: it is not the one who looks */
	assert_false(migc_port_forsaken(server));
	assert_true(migc_port_forsaken(client));
	assert_int_equal(revive(client), 0);
	assert_int_equal(migc_port_wait_link(client, 5000), 0);
	assert_int_equal(migc_port_wait_link(server, 5000), 0);
	assert_false(migc_port_forsaken(client));
	migc_port_close(client);
	migc_port_close(server);
	unlink(path);
}

static unsigned int clear_stale(const char *path, const char *role)
{
	static char program[] = "program", option[] = "--vdev";
	char words[200];
	char *argv[] = {program, option, words};

	snprintf(words, sizeof(words), "net_memif9,role=%s,socket=%s,socket-abstract=no", role,
		 path);
	return migc_port_clear_stale(3, argv);
}

static void a_socket_that_nobody_listens_at_is_removed_and_nothing_else(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	FILE *file;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/migc-stale-%d", (int)getpid());
	assert_int_equal(clear_stale(address.sun_path, "server"), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(clear_stale(address.sun_path, "server"), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(clear_stale(address.sun_path, "client"), 0);
	assert_int_equal(access(address.sun_path, F_OK), 0);
	assert_int_equal(clear_stale(address.sun_path, "server"), 1);
	assert_int_equal(access(address.sun_path, F_OK), -1);
	file = fopen(address.sun_path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(clear_stale(address.sun_path, "server"), 0);
	assert_int_equal(unlink(address.sun_path), 0);
}

static int open_eal(void **state)
{
	static char ring_0[] = "--vdev=net_ring0", ring_1[] = "--vdev=net_ring1",
		    unused[] = "--vdev=net_memif2,role=client,id=7,bsize=9216";
	static char server[160], client[160];
	char *vdev[] = {ring_0, ring_1, unused, server, client};

	(void)state;
	snprintf(socket_path, sizeof(socket_path), "/tmp/migc-port-test-%d.sock", (int)getpid());
	snprintf(server, sizeof(server),
		 "--vdev=net_memif0,role=server,id=0,bsize=9216,socket-abstract=no,socket=%s",
		 socket_path);
	snprintf(client, sizeof(client),
		 "--vdev=net_memif1,role=client,id=0,bsize=9216,socket-abstract=no,socket=%s",
		 socket_path);
	return rig_eal(5, vdev);
}

/* no rte_eal_cleanup(): memif's is not safe after use (doc/design/decisions.md) */
static int remove_socket(void **state)
{
	(void)state;
	unlink(socket_path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_that_is_not_there_is_refused_with_those_that_are),
		cmocka_unit_test(an_mtu_it_cannot_carry_is_refused),
		cmocka_unit_test(queues_are_at_most_those_of_the_port),
		cmocka_unit_test(a_socket_that_nobody_listens_at_is_removed_and_nothing_else),
		cmocka_unit_test(frames_of_9000_bytes_pass_through_memif),
		cmocka_unit_test(a_memif_client_finds_a_server_that_was_started_again),
	};

	return cmocka_run_group_tests(tests, open_eal, remove_socket);
}
