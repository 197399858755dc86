#pragma once

/*
 * password_input.h - passwords from people and scripts, never from arguments
 */

#include <stdbool.h>

#include "base/err.h"

/* The first line of standard input; on a terminal it is asked for twice without echo. Release with mem_free_secret(). */
int password_read(bool may_prompt, char **ret_password, struct err *e);

/* 20 characters that can be read aloud (about 100 bits). Release with mem_free_secret(). */
char *password_generate(void);
