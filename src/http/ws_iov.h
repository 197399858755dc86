#pragma once

/*
 * ws_iov.h - scattered bytes that become one frame; pure
 */

#include <stddef.h>
#include <sys/uio.h>

#include "base/buf.h"

#define WS_IOV_MAX 8

/* The first len_max bytes, in at most WS_IOV_MAX parts: out has room for them, *count is set. Returns their number. */
size_t ws_iov_limit(struct iovec *out, const struct iovec *iov, int *count, size_t len_max);

/* What is left behind the first taken bytes, behind what is in to, which has room for it. */
void ws_iov_keep(struct buf *to, const struct iovec *iov, int count, size_t taken);
