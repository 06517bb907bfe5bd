/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "migc_port.h"
#include "port_limits.h"

static bool is(const char *devargs, const char *key, const char *value)
{
	const char *text = port_devarg(devargs, key);
	size_t length = strlen(value);

	return text && strncmp(text, value, length) == 0 &&
	       (text[length] == ',' || text[length] == '\0');
}

/** Nobody has the socket open: whoever made the file is dead. */
static bool is_stale(const struct sockaddr_un *address)
{
	struct stat st;
	int fd, rc;

	if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	rc = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
	close(fd);
	return rc == ECONNREFUSED;
}

static bool clear(const char *devargs)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = port_devarg(devargs, "socket");

	if (strncmp(devargs, "net_memif", strlen("net_memif")) != 0 || path == NULL ||
	    !is(devargs, "role", "server") || !is(devargs, "socket-abstract", "no") ||
	    strcspn(path, ",") >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, path, strcspn(path, ","));
	return is_stale(&address) && unlink(address.sun_path) == 0;
}

unsigned int migc_port_clear_stale(int argc, char **argv)
{
	static const char option[] = "--vdev";
	unsigned int cleared = 0;

	for (int i = 0; i < argc; i++) {
		size_t length = strlen(option);

		if (strncmp(argv[i], option, length) != 0)
			continue;
		if (argv[i][length] == '=')
			cleared += clear(argv[i] + length + 1);
		else if (argv[i][length] == '\0' && i + 1 < argc)
			cleared += clear(argv[++i]);
	}
	return cleared;
}
