#pragma once

/*
 * version.h - the version of the build, and how the client introduces itself
 */

#ifndef CLI_VERSION
#error "the build defines CLI_VERSION"
#endif

#define CLI_USER_AGENT "pomerium-cli/" CLI_VERSION
