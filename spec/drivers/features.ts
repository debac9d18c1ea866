/** Feature bits of a virtio network device (virtio 1.2, 5.1.3), from the text of the specification, not from the driver. */
export const F_CSUM: u64 = 1;
export const F_GUEST_CSUM: u64 = 2;
export const F_MTU: u64 = 1 << 3;
export const F_MAC: u64 = 1 << 5;
export const F_GUEST_TSO4: u64 = 1 << 7;
export const F_GUEST_TSO6: u64 = 1 << 8;
export const F_GUEST_ECN: u64 = 1 << 9;
export const F_GUEST_UFO: u64 = 1 << 10;
export const F_HOST_TSO4: u64 = 1 << 11;
export const F_HOST_TSO6: u64 = 1 << 12;
export const F_HOST_ECN: u64 = 1 << 13;
export const F_MRG_RXBUF: u64 = 1 << 15;
export const F_STATUS: u64 = 1 << 16;
export const F_CTRL_VQ: u64 = 1 << 17;
