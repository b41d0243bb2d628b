/**
 * Which addresses the public internet has. Pure.
 *
 * Source: the registries of special-purpose addresses (RFC 6890 and what has updated it); R95.
 *
 * @module
 */

/** Blocks of IPv4 that are not the public internet's: this network, private, shared, loopback, link-local, tests, multicast, reserved. */
const SPECIAL_IPV4: readonly (readonly [block: string, bits: number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/** Blocks within 2000::/3 that are not: IETF protocols (Teredo among them), documentation, 6to4. */
const SPECIAL_IPV6: readonly (readonly [words: readonly number[], bits: number])[] = [
  [[0x2001, 0x0000], 23],
  [[0x2001, 0x0db8], 32],
  [[0x2002, 0x0000], 16],
  [[0x3fff, 0x0000], 20],
];

/** The prefix of NAT64 (RFC 6052), behind which an address of IPv4 stands. */
const NAT64 = [0x0064, 0xff9b, 0, 0, 0, 0];

/**
 * Whether an address, without brackets, is one of the public internet. What cannot be read is not; nor is an
 * address of IPv4 that is mapped into IPv6.
 */
export function isPublicAddress(address: string): boolean {
  const ipv4 = ipv4Number(address);
  if (ipv4 !== undefined) return isPublicIpv4(ipv4);
  const words = ipv6Words(address);
  return words !== undefined && isPublicIpv6(words);
}

/** Whether a text is an address of IPv4 or IPv6, without brackets. */
export function isAddress(text: string): boolean {
  return ipv4Number(text) !== undefined || ipv6Words(text) !== undefined;
}

function ipv4Number(text: string): number | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  const parts = text.split(".").map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  return parts.reduce((number, part) => number * 256 + part, 0);
}

function isPublicIpv4(address: number): boolean {
  return !SPECIAL_IPV4.some(([block, bits]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(address / size) === Math.floor(ipv4Number(block)! / size);
  });
}

/** The eight words of an address; the parser of URLs knows every way to write one. */
function ipv6Words(text: string): number[] | undefined {
  if (!/^[0-9A-Fa-f:.]+$/.test(text) || !URL.canParse(`http://[${text}]/`)) return undefined;
  const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const [head = [], tail] = canonical.split("::")
    .map((side) => side === "" ? [] : side.split(":").map((word) => parseInt(word, 16)));
  if (tail === undefined) return head;
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

function isPublicIpv6(words: readonly number[]): boolean {
  if (NAT64.every((word, at) => words[at] === word)) {
    return isPublicIpv4(words[6]! * 65_536 + words[7]!);
  }
  // 2000::/3 is all that is given out; what is mapped, link-local, unique-local or multicast is outside.
  if (words[0]! >> 13 !== 1) return false;
  const head = words[0]! * 65_536 + words[1]!;
  return !SPECIAL_IPV6.some(([[first, second], bits]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(head / size) === Math.floor((first! * 65_536 + second!) / size);
  });
}
