/*
 * echo - sends back all that comes (RFC 862), waiting in each call: for
 * servers that have nothing else to do meanwhile.
 */
#ifndef ECHO_H
#define ECHO_H

/* Serves one client until its end of file or an error, which is told. */
void echo(int conn_fd);

#endif
