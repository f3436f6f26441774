/* fuzz.h - labcap's fuzz targets: functions that any sequence of octets may be given to.
 *
 * A target ends the program where something is wrong: by a sanitizer's word, or by abort() where
 * what labcap tells contradicts itself. It keeps nothing from one input to the next. */
#ifndef LABCAP_FUZZ_H
#define LABCAP_FUZZ_H

#include <stddef.h>
#include <stdint.h>

typedef void fuzz_target_fn(const uint8_t *bytes, size_t size);

/* A trace file, of any kind, given to labcap's commands as a user would, but for gzip; and read
 * beside libpcap. */
fuzz_target_fn fuzz_file;

/* A link type's place in a table, three octets of what the wire length has more, a frame. What is
 * in Ethernet is decoded without it, too. */
fuzz_target_fn fuzz_packet;

/* Packets in short (steps.h), followed several times: as they are, with other initial sequence
 * numbers, and without the tracker's short way, which must change nothing that is told. */
fuzz_target_fn fuzz_tcp;

/* How to draw, a width, and packets in short. */
fuzz_target_fn fuzz_ladder;

/* A log of strace, drawn beside packets that it may belong to. */
fuzz_target_fn fuzz_calls;

/* ---- For the targets ---- */

/* Puts the bytes into one of two files of no name, in place of those before. Returns its path. */
enum fuzz_place { FUZZ_FIRST, FUZZ_SECOND, FUZZ_PLACES };
const char *fuzz_as_file(enum fuzz_place place, const uint8_t *bytes, size_t size);

/* Calls labcap as a shell would: argv[0] is a command, NULL ends. Returns its exit status. */
int fuzz_labcap(const char *const argv[]);

#endif
