#include <stdio.h>

#include "base/mem.h"
#include "identity/password.h"
#include "proxy/commands.h"
#include "proxy/password_input.h"

int command_hash_password(int argc, char **argv)
{
	const char *help = NULL;
	const struct flag flags[] = { { "help", NULL, "print this", &help } };
	_cleanup_(mem_free_secretp) char *password = NULL;
	char hash[PASSWORD_HASH_MAX];
	struct err e = { 0 };

	if (flags_parse(flags, ARRAY_LEN(flags), argc, argv, NULL, 0) < 0)
		return EXIT_USAGE;
	if (help) {
		(void)printf(
			"pomerium hash-password - reads a password from the terminal or the first line of "
			"standard input\nand prints its hash, for password_hash of a local user\n");
		return 0;
	}
	if (password_read(true, &password, &e) < 0 ||
	    password_hash(str_from(password), hash, &e) < 0)
		return command_fail(1, "%s", e.text);
	(void)printf("%s\n", hash);
	return 0;
}
