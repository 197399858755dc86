#pragma once

/*
 * version.h - the version of the build, and how the client introduces itself; the build defines CLI_VERSION
 */

#define CLI_USER_AGENT "pomerium-cli/" CLI_VERSION
