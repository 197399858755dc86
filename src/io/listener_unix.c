#include "io/listener_unix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/loop.h"
#include "io/stream_tcp.h"

#define PATH_LEN_MAX 4096

struct listener_unix {
	struct watch watch;
	struct loop *loop;
	int fd;
	char *path;  /* where the socket is */
	char *place; /* where it is to go; NULL: it is there */
	ino_t inode; /* of the socket that is ours */
	void (*on_accept)(void *arg, struct stream *stream, uid_t peer);
	void *arg;
};

static int fill_address(const char *path, struct sockaddr_un *ret, struct err *e)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(ret->sun_path))
		return err_set(e, ERR_CONFIG, "%s: the path of a socket is 1 to %zu bytes long",
			       path, sizeof(ret->sun_path) - 1);
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, path, len);
	return 0;
}

static bool somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is_in_use = fd >= 0 &&
			 (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
			  errno == EAGAIN);

	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	return is_in_use;
}

/* What is left of a process that was killed. Never anything but a socket. */
static int remove_stale(const char *path, const struct sockaddr_un *address, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(e, errno, "looking at %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONFIG, "%s is there already and is no socket", path);
	if (somebody_listens(address))
		return err_set(e, ERR_CONFIG, "%s is in use by another process", path);
	return unlink(path) < 0 ? err_errno(e, errno, "removing %s", path) : 0;
}

static int bind_and_listen(struct listener_unix *l, struct err *e)
{
	struct sockaddr_un address;
	struct stat st;
	mode_t old_mask;
	int rc;

	if (fill_address(l->path, &address, e) < 0 || remove_stale(l->path, &address, e) < 0)
		return -1;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return err_errno(e, errno, "making a socket");
	/* From birth on nobody else can connect. The mask is the process's: this runs before other threads make files. */
	old_mask = umask(0177);
	rc = bind(l->fd, (const struct sockaddr *)&address, sizeof(address));
	(void)umask(old_mask); /* always succeeds */
	if (rc < 0)
		return err_errno(e, errno, "binding %s", l->path);
	if (lstat(l->path, &st) == 0)
		l->inode = st.st_ino;
	if (listen(l->fd, LISTENER_UNIX_BACKLOG) < 0)
		return err_errno(e, errno, "listening at %s", l->path);
	return 0;
}

static bool is_trusted(int fd, uid_t *ret_peer)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	*ret_peer = peer.uid;
	return peer.uid == 0 || peer.uid == geteuid();
}

static void on_ready(struct watch *watch, unsigned events)
{
	struct listener_unix *l = container_of(watch, struct listener_unix, watch);

	for (;;) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct stream *stream;
		uid_t peer;

		if (fd < 0 && errno == ECONNABORTED)
			continue;
		if (fd < 0)
			break; /* nobody waits, or there are no descriptors: the next one asks again */
		if (!is_trusted(fd, &peer)) {
			(void)close(fd); /* nothing was written */
			continue;
		}
		stream = stream_tcp_open(l->loop, fd, NULL);
		if (stream)
			l->on_accept(l->arg, stream, peer);
		if (l->watch.fd < 0)
			return;
	}
	watch_want(&l->watch, WATCH_READ);
}

static struct listener_unix *listener_unix_new(struct loop *loop,
					       void (*on_accept)(void *arg, struct stream *stream,
								 uid_t peer),
					       void *arg)
{
	struct listener_unix *l = mem_alloc(sizeof(*l));

	l->loop = loop;
	l->fd = -1;
	l->watch.fd = -1;
	l->on_accept = on_accept;
	l->arg = arg;
	return l;
}

static struct listener_unix *open_at_path(struct listener_unix *l, struct err *e)
{
	if (bind_and_listen(l, e) < 0 || watch_open(&l->watch, l->loop, l->fd, on_ready, e) < 0) {
		listener_unix_close(l);
		return NULL;
	}
	watch_want(&l->watch, WATCH_READ);
	return l;
}

struct listener_unix *listener_unix_open(struct loop *loop, const char *path,
					 void (*on_accept)(void *arg, struct stream *stream,
							   uid_t peer),
					 void *arg, struct err *e)
{
	struct listener_unix *l = listener_unix_new(loop, on_accept, arg);

	l->path = str_copy(str_from(path));
	return open_at_path(l, e);
}

struct listener_unix *listener_unix_open_beside(struct loop *loop, const char *path,
						void (*on_accept)(void *arg, struct stream *stream,
								  uid_t peer),
						void *arg, struct err *e)
{
	struct listener_unix *l = listener_unix_new(loop, on_accept, arg);
	struct buf beside = BUF_INIT(PATH_LEN_MAX);

	(void)buf_printf(&beside, "%s.%ld", path, (long)getpid()); /* too long a path fails below */
	l->path = buf_take_string(&beside);
	l->place = str_copy(str_from(path));
	return open_at_path(l, e);
}

int listener_unix_take_over(struct listener_unix *l, struct err *e)
{
	if (rename(l->path, l->place) < 0)
		return err_errno(e, errno, "putting a socket at %s", l->place);
	mem_free(l->path);
	l->path = TAKE(l->place);
	return 0;
}

void listener_unix_close(struct listener_unix *l)
{
	struct stat st;

	if (!l)
		return;
	if (l->watch.fd >= 0)
		watch_close(&l->watch);
	/* A successor may have taken the place. */
	if (l->inode && lstat(l->path, &st) == 0 && st.st_ino == l->inode)
		(void)unlink(l->path); /* what is left is replaced at the next start */
	if (l->fd >= 0)
		(void)close(l->fd); /* nothing was written */
	mem_free(l->path);
	mem_free(l->place);
	loop_free_later(l->loop, l);
}
