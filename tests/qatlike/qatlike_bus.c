/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_errno.h>
#include <rte_memory.h>

#include "qatlike_private.h"

/** Where the look around the bus has got to: our own devices come first. */
static __thread unsigned int next_device = QATLIKE_DEVICES_MAX;

/** To its users a bus device is a pointer and nothing else. */
static struct qatlike_device *ours(const struct rte_device *device)
{
	struct qatlike *q = qatlike_get();

	for (unsigned int i = 0; i < q->devices; i++) {
		if ((const void *)device == (const void *)&q->device[i])
			return &q->device[i];
	}
	return NULL;
}

int __wrap_rte_dev_iterator_init(struct rte_dev_iterator *it, const char *text)
{
	int rc = __real_rte_dev_iterator_init(it, text);

	next_device = strcmp(text, "bus=pci") == 0 ? 0 : QATLIKE_DEVICES_MAX;
	return next_device < qatlike_get()->devices ? 0 : rc;
}

struct rte_device *__wrap_rte_dev_iterator_next(struct rte_dev_iterator *it)
{
	struct qatlike *q = qatlike_get();

	if (next_device < q->devices)
		return (struct rte_device *)&q->device[next_device++];
	return __real_rte_dev_iterator_next(it);
}

const char *__wrap_rte_dev_name(const struct rte_device *device)
{
	const struct qatlike_device *d = ours(device);

	return d ? d->address : __real_rte_dev_name(device);
}

const char *__wrap_rte_dev_bus_info(const struct rte_device *device)
{
	const struct qatlike_device *d = ours(device);

	return d ? d->bus_info : __real_rte_dev_bus_info(device);
}

static int refuse_map(int error)
{
	qatlike_count(&qatlike_get()->stats.map_failures);
	rte_errno = error;
	return -1;
}

/** VFIO's container: one for all devices; what is mapped is written to, and so made, and stays. */
int __wrap_rte_dev_dma_map(struct rte_device *device, void *addr, uint64_t iova, size_t bytes)
{
	struct qatlike *q = qatlike_get();
	uint64_t at = (uint64_t)(uintptr_t)addr;

	if (ours(device) == NULL)
		return __real_rte_dev_dma_map(device, addr, iova, bytes);
	if (q->settings.dma == 0 || bytes == 0)
		return refuse_map(ENOTSUP);
	/* as EAL has it: memory that it was not told of is not mapped */
	if (rte_mem_virt2memseg_list(addr) == NULL || (at | iova | bytes) % 4096)
		return refuse_map(EINVAL);
	if (q->maps >= q->settings.dma)
		return refuse_map(ENOMEM);
	for (unsigned int i = 0; i < q->maps; i++) {
		if (iova < q->map[i].iova + q->map[i].bytes && q->map[i].iova < iova + bytes)
			return refuse_map(EEXIST);
	}
	if (madvise(addr, bytes, MADV_POPULATE_WRITE) != 0)
		return refuse_map(errno);
	qatlike_count(&q->stats.maps);
	q->map[q->maps++] = (struct qatlike_map){at, iova, bytes};
	return 0;
}

int __wrap_rte_dev_dma_unmap(struct rte_device *device, void *addr, uint64_t iova, size_t bytes)
{
	struct qatlike *q = qatlike_get();
	uint64_t at = (uint64_t)(uintptr_t)addr;

	if (ours(device) == NULL)
		return __real_rte_dev_dma_unmap(device, addr, iova, bytes);
	for (unsigned int i = 0; i < q->maps; i++) {
		if (q->map[i].addr == at && q->map[i].iova == iova && q->map[i].bytes == bytes) {
			q->map[i] = q->map[--q->maps];
			qatlike_count(&q->stats.unmaps);
			return 0;
		}
	}
	rte_errno = EINVAL;
	return -1;
}

bool qatlike_is_mapped(uint64_t iova, uint64_t bytes)
{
	const struct qatlike *q = qatlike_get();
	uint64_t at = iova, end = at + bytes;

	for (unsigned int i = 0; i < q->maps && at < end; i++) {
		const struct qatlike_map *m = &q->map[i];

		if (at < m->iova || at >= m->iova + m->bytes)
			continue;
		at = m->iova + m->bytes;
		/* maps are in no order: the next one may be before */
		i = (unsigned int)-1;
	}
	return at >= end;
}

uint64_t qatlike_mapped_bytes(void)
{
	const struct qatlike *q = qatlike_get();
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < q->maps; i++)
		bytes += q->map[i].bytes;
	return bytes;
}

bool qatlike_reaches(const struct rte_mbuf *chain)
{
	for (; chain; chain = chain->next) {
		const uint8_t *at = rte_pktmbuf_mtod(chain, const uint8_t *);
		const struct rte_memseg_list *list = rte_mem_virt2memseg_list(at);

		/* EAL maps its own memory, and none that it was only told of */
		if ((list == NULL || list->external) &&
		    !qatlike_is_mapped(rte_pktmbuf_iova(chain), chain->data_len))
			return false;
	}
	return true;
}
