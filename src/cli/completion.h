#pragma once

/*
 * completion.h - scripts that let a shell complete commands, flags and first arguments; made from the tables
 */

#include <stdio.h>

#include "base/str.h"

struct command;
struct program;

void completion_print_bash(const struct program *program, FILE *out);
void completion_print_zsh(const struct program *program, FILE *out);
void completion_print_fish(const struct program *program, FILE *out);

/*
 * The words that may be a command's first argument, one per call: "clear" and "location" of "clear|location". The position
 * begins as 0; false: there is no further one. A usage that begins with a capital letter or a bracket has none.
 */
bool completion_next_word(const struct command *command, size_t *position, struct str *ret);
