/* calls.h - the system calls beside the packets: which call of which process belongs to which
 * flow, and between which of its packets.
 *
 * Calls come from logs of strace (strace_log.h). A descriptor is followed to its socket through
 * dup, fork and threads, a socket to its flow by addresses, ports and time.
 *
 * Order. The beginning of a call is stamped while its thread stands still before it, by the
 * clock that stamps packets: it is exact. Its end is known only to lie between entry + duration
 * and the thread's next stamp. Within that window it is placed by cause: a receive ends after
 * the packets that brought what it returned, connect after the SYN+ACK, and so on. What no place
 * in the window satisfies is a violation.
 *
 * Use: calls_open(), calls_packet() and calls_fate() as the trace is read, calls_match() once,
 * then the rest. What a log contains is never trusted: texts hold printable characters only
 * (UTF-8 where the log has it escaped stays escaped), memory is bounded. */
#ifndef LABCAP_CALLS_H
#define LABCAP_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"
#include "packet.h"
#include "points.h"

enum call_part {
    CALL_WHOLE, /* it did not wait for the other side: one row, at its beginning */
    CALL_BEGIN, /* its end is a row of its own, or never came */
    CALL_END
};

enum call_weight {
    CALL_MAIN, /* touches the flow's socket */
    CALL_QUIET /* waits for it, or tells what the program did with the data */
};

/* One row of a ladder. All texts are valid until calls_close(). */
struct call_row {
    uint64_t call;         /* from 1, in order of time: BEGIN and END of one call share it, and a
                              poll that stands in several flows has it in each */
    uint64_t after_packet; /* it stands behind this packet of the file; 0: before the first */
    int64_t time_ns;       /* since 1970, of what the row tells: where it is an end, as far as
                              that is known */
    int64_t duration_ns;   /* of the call; -1 where it never ended */
    uint8_t side;          /* index of flow->end */
    enum call_part part;
    enum call_weight weight;
    uint32_t pid;          /* of the thread; 0 where the log does not tell */
    const char *process;   /* "" for a program's first thread; "child", "thread 2"; "cat child"
                              where several programs stand at this side */
    const char *name;      /* "connect" */
    const char *texts[3];  /* without the result, fullest first: "connect(3, 127.0.0.1:4321)",
                              "connect(3)", "connect" */
    const char *result;    /* "= 0", "= 6", "= -1 ECONNREFUSED"; NULL for CALL_BEGIN */
    const uint8_t *data;   /* sent or received, as far as the log has it; NULL none */
    size_t data_len, data_kept;
    const char *note;      /* "" or what the call meant: "3 bytes were unread", … */
};

struct calls;

/* Reads logs. On failure (none of them can be used) returns NULL and one line in `error`. */
struct calls *calls_open(char *const *paths, size_t count, char *error, size_t size);
void calls_close(struct calls *calls);

/* Every packet of the trace that belongs to a flow, in order, as trace_listener.packet; and what
 * became of it, as trace_listener.fate. */
void calls_packet(struct calls *calls, const struct packet *packet,
                  const struct flow_note *note);
void calls_fate(struct calls *calls, const struct fate *fate);

/* Once, after the trace was read. False and one line in `error` if no call belongs to it. */
bool calls_match(struct calls *calls, const struct flow_table *flows, char *error, size_t size);

/* The rows of a flow, in order. */
const struct call_row *calls_of(const struct calls *calls, uint64_t flow_id, size_t *count);

/* What the calls tell of a packet, above all why it is an RST ("the server closed with 3 bytes
 * unread"); NULL if nothing. */
const char *calls_note(const struct calls *calls, uint64_t flow_id, uint64_t packet);

/* The program at this side of the flow ("echo_client"), "" where no log tells. */
const char *calls_program(const struct calls *calls, uint64_t flow_id, unsigned side);

/* One line about what could not be used of the logs ("server.calls: was cut at line 812"), or
 * NULL. After calls_match(). */
const char *calls_remark(const struct calls *calls);

/* Packets with data before the call that sent it, calls that ended before what they tell of had
 * arrived: 0, or the logs are not the trace's. */
uint64_t calls_violations(const struct calls *calls);

#endif
