/*
 * bare_loop - the floor of reading a trace with libpcap: every packet is fetched, none is looked
 * at.
 *
 *     bare_loop FILE
 *
 * Prints how many packets there were.
 */
#include "common.h"

#include <pcap/pcap.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    char why[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *header;
    const u_char *bytes;
    unsigned long packets = 0;
    pcap_t *pcap;

    if (argc != 2)
        usage_error("FILE");
    pcap = pcap_open_offline(argv[1], why);
    if (pcap == NULL) {
        fprintf(stderr, "bare_loop: %s\n", why);
        return 1;
    }
    while (pcap_next_ex(pcap, &header, &bytes) == 1)
        packets++;
    pcap_close(pcap);
    printf("%lu\n", packets);
    return 0;
}
