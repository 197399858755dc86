#pragma once

/*
 * help.h - the help text, made from the tables of commands and flags
 */

#include <stdio.h>

struct command;
struct program;

void help_print_program(const struct program *program, FILE *out);
void help_print_command(const struct command *command, FILE *out);
