/** Where a grant was given, in words. */

const regions = new Intl.DisplayNames("en", { type: "region", fallback: "code" });

/** @param country ISO 3166 code, or one of Cloudflare's own such as `T1` */
export function placeName({
  country,
  network,
}: {
  readonly country?: string | undefined;
  readonly network?: string | undefined;
}): string {
  const known = country !== undefined && /^[A-Z]{2}$/.test(country) ? regions.of(country) : country;
  const words = [known, network === undefined || network === "unknown" ? undefined : `network ${network}`].filter(
    (part) => part !== undefined,
  );
  return words.length === 0 ? "an unknown network" : words.join(", ");
}
