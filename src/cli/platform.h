#pragma once

/*
 * platform.h - what differs between operating systems; one implementation per system (platform_posix.c)
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* As many descriptors as the system lets this user have. */
void platform_raise_descriptor_limit(void);

/* The absolute path of the running program. Release with mem_free(). */
int platform_program_path(char **ret_path, struct err *e);

/* Makes sure that descriptors 0, 1 and 2 are in use, so that nothing else is opened under these numbers. */
void platform_keep_standard_descriptors(void);

/*
 * Starts argv[0] with these arguments, up to NULL, without a shell, apart from the terminal's process group. Its standard input and
 * output are /dev/null, because ours may carry somebody's connection; standard error is shared.
 */
int platform_spawn(const char *const *argv, pid_t *ret_pid, struct err *e);

/* False while the program runs; afterwards true, once, with what waitpid() said. */
bool platform_spawn_has_ended(pid_t pid, int *ret_status);

/* 0 for success; else -1 with a sentence. */
int platform_spawn_check(const char *program, int status, struct err *e);

/*
 * Asks on the terminal of the process, whatever its standard input and output are, without echo; appends the line typed. Ctrl-C,
 * Ctrl-D and no terminal at all are errors.
 */
int platform_ask_secret(const char *question, struct buf *ret_line, struct err *e);
