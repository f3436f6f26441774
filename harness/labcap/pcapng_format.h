/* pcapng_format.h - the numbers of the pcapng format that the writer and the scanner share. */
#ifndef LABCAP_PCAPNG_FORMAT_H
#define LABCAP_PCAPNG_FORMAT_H

enum block_type {
    BLOCK_SECTION = 0x0a0d0d0a, /* a palindrome: the same in either byte order */
    BLOCK_INTERFACE = 1,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6
};

/* Option codes have a meaning of their own in each type of block. */
enum option_code {
    OPTION_END = 0,
    SHB_USERAPPL = 4,
    IF_NAME = 2,
    IF_TSRESOL = 9,
    IF_FILTER = 11,
    ISB_ENDTIME = 3,
    ISB_IFRECV = 4,
    ISB_IFDROP = 5,
    ISB_OSDROP = 7
};

enum { BYTE_ORDER_MAGIC = 0x1a2b3c4d };

#endif
