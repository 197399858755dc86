#include "proxy/predecessor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "proxy/given_sockets.h"

#define MESSAGE_MAX 4096

static int parse(struct predecessor *p, struct str text, struct given_sockets *g, struct err *e)
{
	struct str word;
	struct stat st;
	uint64_t pid;
	uint64_t fd;

	if (!str_cut(&text, ' ', &word) || !str_to_uint64(word, &pid) || pid > INT32_MAX ||
	    !str_cut(&text, ' ', &word) || !str_to_uint64(word, &fd) || fd > INT32_MAX ||
	    fstat((int)fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return err_set(e, ERR_CONFIG, "it is not from a gateway that upgrades itself");
	p->pid = (pid_t)pid;
	p->tell_fd = (int)fd;
	if (fcntl(p->tell_fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_errno(e, errno, "setting up descriptor %d", p->tell_fd);
	return given_sockets_read(g, text, e);
}

int predecessor_find(struct predecessor *p, struct given_sockets *g, struct err *e)
{
	const char *text = getenv(PREDECESSOR_VARIABLE);
	int result = 0;

	*p = (struct predecessor){ .tell_fd = -1 };
	if (text && parse(p, str_from(text), g, e) < 0)
		result = err_wrap(e, PREDECESSOR_VARIABLE);
	(void)unsetenv(PREDECESSOR_VARIABLE); /* the name is good */
	return result;
}

static void tell(struct predecessor *p, struct buf *line)
{
	(void)buf_append_char(line, '\n'); /* fits: what is in it was cut */
	/* If it does not take it, it is gone or will see our end. */
	(void)!write(p->tell_fd, line->data, line->len);
	(void)close(p->tell_fd); /* as above */
	p->tell_fd = -1;
}

void predecessor_tell_ready(struct predecessor *p, const struct given_sockets *unused)
{
	struct buf line = BUF_INIT(MESSAGE_MAX);

	if (p->tell_fd < 0)
		return;
	(void)buf_append_str(&line, STR(PREDECESSOR_READY)); /* fits, like what follows */
	for (size_t i = 0; i < unused->count; i++)
		if (unused->items[i].fd >= 0)
			(void)buf_printf(&line, " %d", unused->items[i].fd);
	tell(p, &line);
	buf_done(&line);
}

void predecessor_tell_failed(struct predecessor *p, const char *why)
{
	struct buf line = BUF_INIT(MESSAGE_MAX);

	if (p->tell_fd < 0)
		return;
	(void)buf_printf(&line, "%s %.*s", PREDECESSOR_FAILED, ERR_TEXT_MAX, why); /* fits */
	tell(p, &line);
	buf_done(&line);
}

/* It is our parent for as long as it lives: no other process can have its number then. */
void predecessor_reload(const struct predecessor *p)
{
	if (p->pid != 0 && getppid() == p->pid)
		(void)kill(p->pid, SIGHUP); /* it may be ending just now */
}
