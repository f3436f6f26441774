/* strace_text.h - spans of text, and how strace writes arguments.
 *
 * Descriptors are "3", with -y "3</dev/null>", with -yy "3<TCP:[127.0.0.1:1->127.0.0.1:2]>";
 * strings are in C's notation, "…"... where they are cut. */
#ifndef LABCAP_STRACE_TEXT_H
#define LABCAP_STRACE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"
#include "strace_line.h"

/* ---- Spans ---- */

void span_skip(struct span *s, size_t count);
void span_spaces(struct span *s);
bool span_take(struct span *s, const char *what);
bool span_starts(struct span s, const char *what);
bool span_is(struct span s, const char *what);
bool span_contains(struct span s, const char *what);
/* What follows the first `what`; false (*s as it was) if there is none. */
bool span_find(struct span *s, const char *what);
bool span_cut_end(struct span *s, const char *what);
bool span_is_name(char c);

/* Decimal digits, up to what fits. False (*s as it was) if there are none. */
bool span_number(struct span *s, uint64_t *number);
/* The same with a sign, and hexadecimal after 0x. */
bool span_integer(struct span *s, int64_t *number);

/* The length of what begins here: a string, <…>, (…), […], {…} as a whole, else one character.
 * An end that is missing ends the text. span_angle() is of a `<`. */
size_t span_item(struct span s);
size_t span_angle(struct span s);

/* Takes the next argument of a list, without the comma. False at the end. */
bool span_argument(struct span *list, struct span *argument);
/* The argument with this index, from 0; empty if there is none. */
struct span span_nth(struct span list, unsigned index);

/* ---- Arguments ---- */

/* A descriptor and what -y or -yy writes behind it (without the angles; empty: nothing). */
bool text_descriptor(struct span *s, int64_t *fd, struct span *about);

/* "{sa_family=AF_INET, sin_port=htons(4321), sin_addr=inet_addr("127.0.0.1")}", wherever it
 * stands in the argument. IPv4 in IPv6 becomes IPv4. */
struct text_address {
    uint8_t ip_version; /* 4, 6; 0 none */
    struct endpoint end;
};
bool text_sockaddr(struct span s, struct text_address *address);

/* What -yy tells of a socket. */
struct text_socket {
    uint8_t protocol; /* IP_TCP, IP_UDP */
    struct text_address local, remote; /* ip_version 0: not told */
    uint64_t inode;                    /* 0 not told */
};
bool text_socket(struct span about, struct text_socket *socket);

/* True if what -y or -yy tells is that this is no socket of TCP or UDP. */
bool text_no_socket(struct span about);

/* Decodes the string at the beginning of `s` to at most `size` bytes. Returns their number; -1
 * if there is no string. */
int64_t text_string(struct span s, uint8_t *bytes, size_t size);

#endif
