#include "http/ws_iov.h"

#include <stdint.h>

size_t ws_iov_limit(struct iovec *out, const struct iovec *iov, int *count, size_t len_max)
{
	size_t len = 0;
	int used = 0;

	for (int i = 0; i < *count && i < WS_IOV_MAX && len < len_max; i++) {
		size_t room = len_max - len;

		out[used] = iov[i];
		if (out[used].iov_len > room)
			out[used].iov_len = room;
		len += out[used++].iov_len;
	}
	*count = used;
	return len;
}

void ws_iov_keep(struct buf *to, const struct iovec *iov, int count, size_t taken)
{
	for (int i = 0; i < count; i++) {
		size_t skip = taken < iov[i].iov_len ? taken : iov[i].iov_len;

		taken -= skip;
		if (skip < iov[i].iov_len) /* fits */
			(void)buf_append(to, (const uint8_t *)iov[i].iov_base + skip,
					 iov[i].iov_len - skip);
	}
}
