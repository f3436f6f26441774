/* capture.h - packets from a live interface, through libpcap; and the command `record`.
 *
 * The only user of libpcap's live side. What it promises:
 *   - once capture_open() has returned, not one later packet can be missed;
 *   - after capture_drain(), every packet that the kernel had seen when it was called has been
 *     handed over. */
#ifndef LABCAP_CAPTURE_H
#define LABCAP_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

struct capture;

struct capture_options {
    const char *interface;
    const char *filter; /* NULL or "": everything */
    int snaplen;        /* bytes of each packet, at least 1 */
    int ring_mib;       /* the kernel's buffer; 0: what suits the interface's frames */
};

enum capture_result {
    CAPTURE_OK,
    CAPTURE_BAD_FILTER, /* libpcap does not accept the filter on this interface */
    CAPTURE_FAILED
};

struct capture_counts {
    uint64_t received; /* passed the filter, the lost ones included */
    uint64_t dropped;  /* lost: the kernel's ring was full, or the interface had no room */
};

/* Takes one packet; `bytes` is valid during the call. Returns false to be called no more. */
typedef bool capture_packet_fn(void *context, uint64_t time_ns, uint32_t captured,
                               uint32_t wire_len, const uint8_t *bytes);

/* On failure *capture is NULL and `error`, of `size` bytes, one line without a newline. */
enum capture_result capture_open(struct capture **capture, const struct capture_options *options,
                                 char *error, int size);
void capture_close(struct capture *capture);

/* DLT_... of all packets. */
int capture_link_type(const struct capture *capture);

/* A descriptor for poll(): readable when packets wait or the capture has failed. */
int capture_fd(const struct capture *capture);

/* How long the ring, when it is empty, surely has room for all that comes; 0: not worth a sleep. */
long capture_patience_ns(const struct capture *capture);

/* Hands over some of the packets that wait (never waits itself). Returns how many, 0 when there
 * are none, or -1 when the capture has failed (capture_error() tells) or `each` had enough. */
int capture_take(struct capture *capture, capture_packet_fn *each, void *context);

/* Hands over every packet that the kernel has seen by now, and a bounded number of later ones.
 * Returns 0, or -1 as capture_take() does. */
int capture_drain(struct capture *capture, capture_packet_fn *each, void *context);

/* Since capture_open(). Returns false on failure (capture_error() tells). */
bool capture_count(struct capture *capture, struct capture_counts *counts);

const char *capture_error(const struct capture *capture);

/* `labcap record`: argv[0] is the command's name. Returns the exit status. */
int cmd_record(int argc, char **argv);

#endif
