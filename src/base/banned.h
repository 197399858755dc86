#pragma once

/*
 * banned.h - functions that do not compile here (force-included)
 *
 * Each has a safe counterpart in base/: str, buf, clock.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* With some compilers the fortified ones are macros. */
#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol gets
#pragma GCC poison gmtime localtime asctime ctime system
