#pragma once

/*
 * stream_stdio.h - standard input and output as one stream
 *
 * Pipes, sockets, terminals and regular files. Descriptors are made non-blocking where that is possible
 * and get their old flags back at close; a regular file is read directly and is always ready.
 * shutdown ends the output (a pipe's reader then sees its end). SIGPIPE is ignored from the first opening on.
 */

#include "io/stream.h"

struct loop;

/* Borrows both descriptors until close. */
struct stream *stream_stdio_open(struct loop *loop, int in_fd, int out_fd, struct err *e);
