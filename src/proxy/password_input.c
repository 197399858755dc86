#include "proxy/password_input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "identity/password.h"

#define GENERATED_LEN 20

/* One line without its end, from a descriptor; byte by byte, so that nothing behind the line is taken. */
static int read_line(int fd, char line[PASSWORD_MAX + 1], struct err *e)
{
	size_t len = 0;

	for (;;) {
		char c;
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "reading the password");
		if (n == 0 || c == '\n')
			break;
		if (len == PASSWORD_MAX)
			return err_set(e, ERR_LIMIT, "the password is longer than %d bytes",
				       PASSWORD_MAX);
		line[len++] = c;
	}
	if (len > 0 && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	if (len == 0)
		return err_set(e, ERR_CONFIG, "the password is empty");
	return 0;
}

static int prompt(const char *question, char line[PASSWORD_MAX + 1], struct err *e)
{
	struct termios before;
	struct termios silent;
	int result;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return err_errno(e, errno, "asking for the password");
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	(void)fputs(question, stderr);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent); /* echo is a nuisance, not an error */
	result = read_line(STDIN_FILENO, line, e);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	(void)fputc('\n', stderr);
	return result;
}

int password_read(bool may_prompt, char **ret_password, struct err *e)
{
	char first[PASSWORD_MAX + 1];
	char second[PASSWORD_MAX + 1];
	int result;

	if (!may_prompt || !isatty(STDIN_FILENO)) {
		result = read_line(STDIN_FILENO, first, e);
	} else {
		result = prompt("Password: ", first, e);
		if (result == 0)
			result = prompt("Once more: ", second, e);
		if (result == 0 && strcmp(first, second) != 0)
			result = err_set(e, ERR_CONFIG, "the two passwords differ");
		mem_wipe(second, sizeof(second));
	}
	if (result == 0)
		*ret_password = mem_copy_string(first);
	mem_wipe(first, sizeof(first));
	return result;
}

char *password_generate(void)
{
	static const char alphabet[] =
		"abcdefghijkmnpqrstuvwxyz23456789"; /* 32, none of them alike */
	unsigned char random[GENERATED_LEN];
	char *text = mem_alloc(GENERATED_LEN + 1);

	random_bytes(random, sizeof(random));
	for (size_t i = 0; i < GENERATED_LEN; i++)
		text[i] = alphabet[random[i] % 32];
	mem_wipe(random, sizeof(random));
	return text;
}
