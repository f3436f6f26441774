/* reader.h - packets of a trace file, one by one, through libpcap.
 *
 * pcap (us or ns, either byte order) and pcapng; "-" is standard input. Stamps are nanoseconds.
 * A filter leaves nothing out: it says which packets are chosen, as what became of these may
 * stand in others. */
#ifndef LABCAP_READER_H
#define LABCAP_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader;

enum reader_open_result {
    READER_OPEN,
    READER_BAD_FILE,  /* missing, unreadable, no trace, a link type nobody can decode */
    READER_BAD_FILTER /* libpcap does not accept the filter */
};

enum reader_result {
    READER_PACKET,
    READER_END,
    READER_ERROR /* the file is cut or corrupt here: reader_error() tells */
};

/* Saturated there: the distance of any two times can be told (in the year 2116, and 1823). */
static const int64_t TIME_NS_MAX = INT64_MAX / 2;

struct reader_frame {
    uint64_t number;
    int64_t time_ns; /* at most TIME_NS_MAX from 1970, before or after */
    uint32_t captured, wire_len;
    const uint8_t *bytes; /* valid until the next call, or see reader_keep() */
    bool chosen;          /* by the filter; true without one */
};

/* Opens `path` with `filter` (NULL or "" for none). On failure *reader is NULL and `error`, of
 * `size` bytes, holds one line without a newline. */
enum reader_open_result reader_open(struct reader **reader, const char *path, const char *filter,
                                    char *error, int size);
void reader_close(struct reader *reader);

/* `leaving` is called before what reader_next() has given becomes invalid, or is waited for; so
 * long frames stay valid over several calls. */
typedef void reader_leave_fn(void *context);
void reader_keep(struct reader *reader, reader_leave_fn *leaving, void *context);

/* Reads the next packet. */
enum reader_result reader_next(struct reader *reader, struct reader_frame *frame);

/* Maps the file from the next packet on, if at least `least` octets of it are to come. Until
 * reader_unmap() only what follows here may be used. False where it cannot be: nothing has
 * changed. */
bool reader_map(struct reader *reader, size_t least);

struct reader_place {
    size_t octets;
    uint64_t number;
};

/* Where the next packet is. */
struct reader_place reader_place(const struct reader *reader);

/* Reads the next packet. False where it is none that can be had so: reader_next() will tell. */
bool reader_next_mapped(struct reader *reader, struct reader_frame *frame);

/* False: what was read is not to be believed, as the file has become shorter. */
bool reader_sound(const struct reader *reader);

/* Goes on with reader_next() from there. */
void reader_unmap(struct reader *reader, struct reader_place place);

/* True if the packets come through a pipe or a socket, unpacked: perhaps as they are recorded. */
bool reader_is_stream(const struct reader *reader);

/* Waits up to so many milliseconds until reader_next() has something to read. Returns false if
 * nothing came. */
bool reader_wait(const struct reader *reader, int milliseconds);

/* The pcap link type (DLT_...) of all its packets. */
int reader_link_type(const struct reader *reader);

/* After READER_ERROR: the number of the packet that could not be read, and why. */
uint64_t reader_error_packet(const struct reader *reader);
const char *reader_error(const struct reader *reader);

/* No more packets: how many the capturer lost, as the file itself tells; 0 where it does not. Of a
 * pipe only what was read counts. */
uint64_t reader_drops(struct reader *reader);

#endif
