#pragma once

/*
 * listener_bind.h - for listener.c alone, beside what listener.h has of listener_bind.c
 */

#include <stdbool.h>

/* No connection begins any more; those that have begun go on. False if the system cannot do that. */
bool listener_refuse_new(int fd);
