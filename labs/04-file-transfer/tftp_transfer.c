/* tftp_transfer - see tftp_transfer.h. */
#define _GNU_SOURCE                     /* sendmmsg() */
#include "tftp_transfer.h"

#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net.h"

enum { MOST_AT_ONCE = 64 };             /* blocks in one system call */

/* -- Sending -------------------------------------------------------------- */

/* Blocks that are read together and sent together, which costs two system
 * calls for all. Each is a header and a part of BYTES. */
static struct {
    unsigned char headers[MOST_AT_ONCE][HEADER], bytes[MAX_BLOCK];
    struct iovec parts[MOST_AT_ONCE][2];
    struct mmsghdr messages[MOST_AT_ONCE];
} batch;

/* Reads LEN bytes at OFFSET of the file, all of them. */
static enum outcome read_at(struct transfer *t, int file_fd, size_t len,
                            off_t offset)
{
    for (size_t done = 0; done < len; ) {
        ssize_t n = pread(file_fd, batch.bytes + done, len - done,
                          offset + (off_t)done);
        if (n == 0)                     /* to end here would look whole */
            return break_off(t, NOT_DEFINED, "The file has become shorter");
        if (n < 0 && errno != EINTR)
            return break_off_errno(t);
        if (n > 0)
            done += (size_t)n;
    }
    return DONE;
}

/* Sends the blocks behind *SENT up to END, or as many as go together, of the
 * file, which has SIZE bytes. */
static enum outcome send_blocks(struct transfer *t, int file_fd, off_t size,
                                uint64_t *sent, uint64_t end)
{
    uint64_t room = sizeof batch.bytes / t->block_size;
    unsigned count = 0, done = 0;
    off_t offset = (off_t)*sent * (off_t)t->block_size;
    off_t left = size - offset;

    while (*sent < end && count < room && count < MOST_AT_ONCE) {
        size_t len = left < (off_t)t->block_size ? (size_t)left : t->block_size;
        put_header(batch.headers[count], DATA, (uint16_t)++*sent);
        batch.parts[count][0] = (struct iovec){ batch.headers[count], HEADER };
        batch.parts[count][1] = (struct iovec){
            batch.bytes + count * t->block_size, len
        };
        batch.messages[count].msg_hdr = (struct msghdr){
            .msg_name = &t->peer, .msg_namelen = addr_len(&t->peer),
            .msg_iov = batch.parts[count], .msg_iovlen = 2
        };
        left -= (off_t)len;
        count++;
    }
    if (read_at(t, file_fd, (size_t)(size - offset - left), offset) != DONE)
        return FAILED;
    while (done < count) {
        int n = sendmmsg(t->fd, batch.messages + done, count - done, 0);
        if (n < 0 && errno != EINTR)
            break;                      /* the rest counts as lost */
        if (n > 0)
            done += (unsigned)n;
    }
    return DONE;
}

/* Waits for an ACK that is new. ACKED: up to here all is acknowledged. SENT:
 * up to here it could be. */
static enum outcome await_ack(struct transfer *t, uint64_t *acked,
                              uint64_t sent)
{
    enum outcome outcome;

    while ((outcome = next_packet(t)) == DONE) {
        if (opcode_of(&t->in) != ACK)
            continue;

        /* STEP 27: only an ACK that is new moves us on. The packet has the
         * low 16 bits of the block's number; how far are they ahead, modulo
         * 65,536, of the last that we know of? One of a block that we have
         * not sent is an old one. */
        uint16_t ahead = (uint16_t)(block_of(&t->in) - *acked);
        if (ahead >= 1 && ahead <= sent - *acked) {
            *acked += ahead;
            break;
        }
        /* END STEP 27; silent; stub:
        *acked = sent;
        break; */
    }
    return outcome;
}

enum outcome send_file(struct transfer *t, int file_fd)
{
    struct stat status;
    enum outcome outcome = DONE;

    if (fstat(file_fd, &status) < 0)
        return break_off_errno(t);

    /* STEP 26: send block after block, each when the one before has its ACK
     * (with a window, as many as it has), and again if there is none. The
     * last block is not full; so if all are, there is one more, of 0 bytes. */
    uint64_t last = (uint64_t)status.st_size / t->block_size + 1, acked = 0;
    while (acked < last && (outcome == DONE || outcome == AGAIN)) {
        uint64_t sent = acked, end = acked + t->window;
        if (end > last)
            end = last;
        while (sent < end)
            if (send_blocks(t, file_fd, status.st_size, &sent, end) != DONE)
                return FAILED;
        set_deadline(t, t->timeout);
        outcome = await_ack(t, &acked, sent);
        if (outcome == DONE)
            t->repeats = 0;
    }
    /* END STEP 26; stub:
    (void)send_blocks;
    (void)await_ack;
    outcome = break_off(t, NOT_DEFINED, "Step 26 is not there yet"); */

    return outcome;
}

/* -- Receiving ------------------------------------------------------------ */

struct progress {
    uint64_t good, acked;       /* up to here we have all; have said so */
    bool gap_told;              /* a block is missing, we have said so */
    bool repeated;              /* blocks come again, so an ACK is awaited */
    bool whole;
};

static void send_ack(struct transfer *t, struct progress *progress)
{
    make_ack(&t->out, (uint16_t)progress->good);
    send_packet(t, &t->out, &t->peer);
    progress->acked = progress->good;
    progress->repeated = false;
    await_data(t);
}

/* Whether to acknowledge now. The block that has come is AHEAD of the one that
 * we wait for; far ahead, modulo 65,536, are those that we have had. */
static bool is_ack_due(const struct transfer *t, struct progress *progress,
                       uint16_t ahead)
{
    /* STEP 31: a window has one ACK, for its last block. Where a block is
     * missing, say at once, but once, what the last good one was: the sender
     * goes on from there. The block of our last ACK comes again if that was
     * lost. Any other ACK would call forth blocks that are under way. */
    if (ahead == 0) {
        progress->gap_told = false;
        return progress->whole
            || progress->good - progress->acked >= t->window;
    }
    if (ahead < t->window) {
        bool first = !progress->gap_told;
        progress->gap_told = true;
        return first;
    }
    return progress->good == progress->acked && ahead == UINT16_MAX;
    /* END STEP 31; silent; stub:
    (void)t;
    (void)progress;
    (void)ahead;
    return true; */
}

/* Writes the block, if it is the next one, and acknowledges if that is due.
 * Returns false, errno, where it cannot be kept, and nothing is. */
static bool take_block(struct transfer *t, struct progress *progress,
                       struct saving *saving, bool replace)
{
    size_t len = t->in.len - HEADER;
    uint16_t ahead = (uint16_t)(block_of(&t->in) - (progress->good + 1));

    /* STEP 28: write each block once, in order. One that is not full is the
     * last: then the file has to be safe, before we say that it is. */
    if (ahead == 0) {
        if (!save(saving, t->in.bytes + HEADER, len)) {
            give_up_saving(saving);
            return false;
        }
        progress->good++;
        progress->whole = len < t->block_size;
        if (progress->whole && !finish_saving(saving, replace))
            return false;
        t->repeats = 0;
        if (!progress->repeated)
            await_data(t);
    }
    /* END STEP 28; stub:
    (void)len;
    (void)replace;
    give_up_saving(saving);
    errno = ENOSYS;
    return false; */

    if (ahead >= t->window)
        progress->repeated = true;
    if (is_ack_due(t, progress, ahead))
        send_ack(t, progress);
    return true;
}

enum outcome receive_file(struct transfer *t, struct saving *saving,
                          bool replace)
{
    struct progress progress = { .good = 0 };
    enum outcome outcome = DONE;

    while (!progress.whole) {
        if (outcome == AGAIN)
            send_ack(t, &progress);
        else if (opcode_of(&t->in) == DATA
                 && t->in.len <= HEADER + t->block_size
                 && !take_block(t, &progress, saving, replace))
            return break_off_errno(t);
        if (progress.whole)
            break;
        outcome = next_packet(t);
        if (outcome != DONE && outcome != AGAIN) {
            give_up_saving(saving);
            return outcome;
        }
    }
    return DONE;
}

/* The last ACK may be lost, and then the sender cannot know that all is well:
 * RFC 1350, 6. It repeats itself after one timeout, and not for ever: so stay
 * for two, or longer if it does. */
void linger(struct transfer *t)
{
    uint16_t last = block_of(&t->out);
    long long end = now() + (MAX_REPEATS + 1) * (long long)t->timeout;

    set_deadline(t, 2 * t->timeout);
    while (now() < end && next_packet(t) == DONE) {
        if (opcode_of(&t->in) != DATA)
            continue;
        if (block_of(&t->in) == last)
            send_packet(t, &t->out, &t->peer);
        set_deadline(t, 2 * t->timeout);
    }
}
