/*
 * tftp - the packets of TFTP, RFC 1350, with the options of RFC 2347. Here
 * they are made and taken apart; nothing is sent.
 *
 *     RRQ, WRQ  | opcode | name 0 | mode 0 | option 0 | value 0 | ...
 *     DATA      | opcode | block | bytes, fewer in the last block
 *     ACK       | opcode | block |
 *     ERROR     | opcode | code | message 0 |
 *     OACK      | opcode | option 0 | value 0 | ...
 *
 * Opcode, block and code have two bytes, the high one first. The others are
 * strings, each ended by a NUL; what comes from the network may lack it.
 */
#ifndef TFTP_H
#define TFTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opcode { RRQ = 1, WRQ, DATA, ACK, ERROR, OACK };

enum error_code {
    NOT_DEFINED, FILE_NOT_FOUND, ACCESS_VIOLATION, DISK_FULL,
    ILLEGAL_OPERATION, UNKNOWN_PORT, FILE_EXISTS, BAD_OPTIONS = 8
};

enum {
    HEADER = 4,                 /* of DATA and ACK */
    MAX_REQUEST = 512,          /* RFC 2347 */
    USUAL_BLOCK = 512, MIN_BLOCK = 8, MAX_BLOCK = 65464     /* RFC 2348 */
};

/* One byte more than the longest has: so what is longer can be seen. */
struct packet {
    size_t len;
    unsigned char bytes[HEADER + MAX_BLOCK + 1];
};

/* The size of a block; the size of the file; seconds until something is sent
 * again; blocks for one ACK. RFC 2348, RFC 2349, RFC 7440. */
enum option { BLKSIZE, TSIZE, TIMEOUT, WINDOWSIZE, OPTIONS };

struct options {
    bool has[OPTIONS];
    unsigned long value[OPTIONS];       /* of those it has */
    bool any_wrong;                     /* one had a value that cannot be */
};

/* What a request asks for; the strings are in its packet. */
struct request {
    enum opcode opcode;                 /* RRQ or WRQ */
    const char *name, *mode;
    struct options options;
};

/* Returns 0 of a packet that is too short to be one. */
unsigned opcode_of(const struct packet *packet);
uint16_t block_of(const struct packet *packet);

/* Writes the first HEADER bytes of a packet. Of ACK they are all. */
void put_header(unsigned char *bytes, enum opcode opcode, uint16_t number);
void make_ack(struct packet *packet, uint16_t block);

/* The message is cut where it is longer than 100 bytes. */
void make_error(struct packet *packet, enum error_code code,
                const char *message);

/* Both return false where there is no room for all of it. */
bool make_request(struct packet *packet, const struct request *request);
bool make_oack(struct packet *packet, const struct options *options);

/* Both return false of a packet that is none. Options that we do not know are
 * passed over; of a request, also those with a value that cannot be. */
bool read_request(const struct packet *packet, struct request *request);
bool read_oack(const struct packet *packet, struct options *options);

/* What the ERROR packet says, fit for a terminal. */
void read_error(const struct packet *packet, char *message, size_t size);

#endif
