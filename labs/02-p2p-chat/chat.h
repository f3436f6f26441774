/*
 * chat - a conversation in both directions at once, in two processes: the
 * parent carries what is typed to the peer, the child prints what it says.
 */
#ifndef CHAT_H
#define CHAT_H

/* Talks over the connected socket until both sides have ended. Ends the
 * program on error, and leaves no process behind. */
void chat(int conn_fd);

#endif
