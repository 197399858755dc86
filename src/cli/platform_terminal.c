/*
 * platform_terminal.c - secrets from a terminal
 *
 * Signals from the keyboard are turned off with the echo: a program ended in between would leave the terminal silent. So
 * the keys that make them are looked at here.
 */

#include "cli/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"

enum key {
	KEY_TEXT,
	KEY_DONE,
	KEY_ERASE,
	KEY_KILL,
	KEY_CANCEL,
};

static enum key key_of(const struct termios *terminal, unsigned char c)
{
	if (c == '\n' || c == '\r')
		return KEY_DONE;
	if (c == terminal->c_cc[VINTR] || c == terminal->c_cc[VEOF] || c == terminal->c_cc[VQUIT])
		return KEY_CANCEL;
	if (c == terminal->c_cc[VERASE] || c == '\b' || c == 0x7f)
		return KEY_ERASE;
	return c == terminal->c_cc[VKILL] ? KEY_KILL : KEY_TEXT;
}

static int read_key(int fd, unsigned char *ret)
{
	ssize_t n;

	do {
		n = read(fd, ret, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : -1;
}

static int read_line(int fd, const struct termios *terminal, struct buf *line, struct err *e)
{
	unsigned char c;

	while (read_key(fd, &c) == 0) {
		switch (key_of(terminal, c)) {
		case KEY_DONE:
			return 0;
		case KEY_CANCEL:
			return err_set(e, ERR_CONFIG, "nothing was typed");
		case KEY_ERASE:
			buf_truncate(line, line->len > 0 ? line->len - 1 : 0);
			break;
		case KEY_KILL:
			buf_truncate(line, 0);
			break;
		case KEY_TEXT:
			if (buf_append_char(line, (char)c) < 0)
				return err_set(e, ERR_LIMIT, "what was typed is too long");
			break;
		}
	}
	return err_set(e, ERR_SYSTEM, "the terminal is gone");
}

static void say(int fd, const char *text)
{
	ssize_t ignored = write(fd, text, strlen(text)); /* whoever does not see it types nothing */

	(void)ignored;
}

int platform_ask_secret(const char *question, struct buf *ret_line, struct err *e)
{
	struct termios before;
	struct termios silent;
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	int result;

	if (fd < 0 || tcgetattr(fd, &before) < 0) {
		if (fd >= 0)
			(void)close(fd); /* nothing was written to it */
		return err_set(e, ERR_SYSTEM, "there is no terminal to ask on");
	}
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
	/* before the question, so that nothing typed in answer is shown or taken for a signal;
	 * echo is a nuisance, not an error */
	(void)tcsetattr(fd, TCSAFLUSH, &silent);
	say(fd, question);
	result = read_line(fd, &before, ret_line, e);
	(void)tcsetattr(fd, TCSAFLUSH, &before);
	say(fd, "\r\n");
	(void)close(fd); /* all that had to be written was */
	return result;
}
