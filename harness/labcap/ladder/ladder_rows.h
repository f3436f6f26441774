/* ladder_rows.h - the rows of a ladder that are not drawn yet, in order, folded as they come.
 *
 * A run of ordinary rows (data, acknowledgements, the calls that send and receive) is shown by its
 * first and last few; the many between them become one row that counts them. So however long a
 * connection is, few rows wait at any time. */
#ifndef LABCAP_LADDER_ROWS_H
#define LABCAP_LADDER_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "calls.h"
#include "ladder_icmp.h"
#include "ladder_say.h"
#include "memory.h"

struct strand; /* what is known of a row's flow: ladder_strand.h */

enum row_kind { ROW_SEGMENT, ROW_CALL, ROW_OTHER, ROW_FOLD };

/* What a row waits for before it can be told. */
enum row_wait { WAIT_NOTHING, WAIT_ANSWER, WAIT_TEARDOWN, WAIT_FRAGMENTS };

/* Bits of segment_record.marks; the last two are the ladder's own: did not arrive; remarkable for
 * something else. */
enum { MARKS = 16, MARK_LOST = 1 << 14, MARK_OTHER = 1 << 15 };

/* Many rows as one. */
struct fold {
    uint64_t segments, calls, others, bytes[2]; /* to the server, to the client */
    uint64_t marks[MARKS];              /* how many segments have each */
    uint64_t first_packet, last_packet;
    int64_t last_ns;
    uint64_t flows; /* that the segments are of */
    uint32_t serial;
    uint32_t tail; /* rows behind it that stay */
    bool tcp, udp; /* there are segments, datagrams */
};

/* Two of the processor's cache lines: tens of thousands may wait. */
struct row {
    struct row *next;
    struct strand *strand;
    uint32_t order; /* of the packets when it was appended */
    uint16_t payload_kept;
    uint8_t kind, wait; /* enum row_kind, enum row_wait */
    uint8_t *payload; /* its beginning, of malloc(); NULL where none was kept */
    union {
        struct segment_record segment;
        const struct call_row *call;
        struct other_packet other; /* of no strand */
        struct fold *fold;
    };
};

/* The number of the packet that the row is of; not of a call or a fold. */
static inline uint64_t row_packet(const struct row *row)
{
    return row->kind == ROW_OTHER ? row->other.packet : row->segment.packet;
}

/* How long a run is shown in full, and how much of a longer one. */
struct fold_limits {
    uint32_t head, tail, folded; /* first rows, last rows, at least so many between them */
};

/* All bits 0 is an empty list. */
struct rows {
    struct row *first, *last;
    struct row *held; /* the first one that may still be folded; NULL none */
    struct row *fold; /* the open fold; NULL none */
    uint32_t run, unfolded; /* rows of the run; of those, the ones behind head or fold */
};

/* Rows are recycled. The first two are for row_new(). */
extern struct row *rows_recycled;
void rows_make(void);
void row_free(struct row *row);

/* A new row of the strand, that waits for nothing and has no payload. What it is of (`kind`, the
 * union) is the caller's to set, and `order`. */
static inline struct row *row_new(struct strand *strand)
{
    struct row *row;

    if (rows_recycled == NULL)
        rows_make();
    row = rows_recycled;
    rows_recycled = row->next;
    prefetch(rows_recycled, sizeof *rows_recycled);
    row->strand = strand;
    row->wait = WAIT_NOTHING;
    row->payload = NULL;
    row->payload_kept = 0;
    return row;
}

/* Folds the run's rows between head and tail: for rows_append(), which waits until there are some,
 * to fold them at once; and where a fold is open and must tell now what is in it. */
void rows_fold(struct rows *rows, const struct fold_limits *limits);
void rows_fold_rest(struct rows *rows);

/* The run ends here: all rows stay as they are. */
static inline void rows_settle(struct rows *rows)
{
    if (rows->fold != NULL)
        rows_fold_rest(rows);
    rows->held = rows->fold = NULL;
    rows->run = rows->unfolded = 0;
}

/* Appends a row. An `ordinary` one goes on with the run, any other ends it. Limits of NULL: nothing
 * is folded. Calls that are folded away count in their strand->open at once. */
static inline void rows_append(struct rows *rows, struct row *row, bool ordinary,
                               const struct fold_limits *limits)
{
    row->next = NULL;
    if (rows->first == NULL)
        rows->first = row;
    else
        rows->last->next = row;
    rows->last = row;
    if (!ordinary || limits == NULL) {
        rows_settle(rows);
        return;
    }
    if (++rows->run <= limits->head)
        return;
    if (rows->held == NULL)
        rows->held = row;
    if (++rows->unfolded == limits->tail + limits->folded)
        rows_fold(rows, limits);
}

/* The first row, or NULL if there is none that will stay as it is. */
struct row *rows_first(const struct rows *rows);
/* Takes the first row off; the caller frees it. Only where rows_first() has one. */
struct row *rows_take(struct rows *rows);

/* "412 segments, 589,824 bytes to the server; 12 calls". */
void fold_text(char *text, size_t size, const struct fold *fold);

#endif
