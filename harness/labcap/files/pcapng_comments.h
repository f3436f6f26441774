/* pcapng_comments.h - comments for the packets of a pcapng file, put into it in place.
 *
 * Nothing but comments is added and nothing is taken away: other blocks, options and comments
 * stay as they are. The file is replaced by a whole new one, or is not touched. */
#ifndef LABCAP_PCAPNG_COMMENTS_H
#define LABCAP_PCAPNG_COMMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* The comment of the packet with this number (from 1, as libpcap counts), at most
 * PCAPNG_COMMENT_MAX bytes; NULL for none. Called once for each packet, in file order. */
typedef const char *pcapng_comment_fn(void *context, uint64_t packet);

enum { PCAPNG_COMMENT_MAX = 1024 };

/* Gives each packet its comment, unless it has this very comment already; a file in which all
 * have theirs is not written. A Simple Packet Block has no room for one. `as_read` is what stat()
 * said when the comments were thought of: a file that has changed since is left alone.
 * Returns false, and one line without a newline in `error`, if the file was not touched. */
bool pcapng_add_comments(const char *path, const struct stat *as_read,
                         pcapng_comment_fn *comment, void *context, char *error, size_t size);

#endif
