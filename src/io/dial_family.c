/*
 * Apart from dial.c, so that who takes that one's place in a test need not know of families.
 */

#include "io/dial.h"

#include <sys/socket.h>

int dial_families(enum dial_family family)
{
	switch (family) {
	case DIAL_IP4_ONLY:
		return AF_INET;
	case DIAL_IP6_ONLY:
		return AF_INET6;
	case DIAL_BOTH:
	case DIAL_IP4_ELSE:
	case DIAL_IP6_ELSE:
		break;
	}
	return AF_UNSPEC;
}
