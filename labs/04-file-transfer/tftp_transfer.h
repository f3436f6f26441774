/*
 * tftp_transfer - a file, block by block, from one side to the other. Of
 * client and server one sends, one receives. RFC 1350, RFC 7440.
 *
 *     sender                         receiver
 *       DATA 1  ------------------->            a window of 1, "lockstep":
 *               <-------------------  ACK 1     each block has its ACK
 *       DATA 2  ------------------->
 *       DATA 3  ------------------->            a window of 2: one ACK for two
 *               <-------------------  ACK 3
 */
#ifndef TFTP_TRANSFER_H
#define TFTP_TRANSFER_H

#include <stdbool.h>

#include "files.h"
#include "tftp_peer.h"

/* Sends the file, as long as it is now. */
enum outcome send_file(struct transfer *t, int file_fd);

/* Receives a file; DATA 1 is in t->in. It has its name before the last ACK
 * says so; on failure nothing of it stays. */
enum outcome receive_file(struct transfer *t, struct saving *saving,
                          bool replace);

/* To be called when a file was received by a side that does not end with it:
 * acknowledges the last block again if it comes again. */
void linger(struct transfer *t);

#endif
