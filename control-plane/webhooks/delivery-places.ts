/** Attempts that one process has under way at once. */
export const PLACES = 200;
/** Of these at one endpoint: what it is sent at the same moment. */
export const PER_ENDPOINT = 5;
/** And at all endpoints of one organisation: it may have fifty, and let them hang. */
const PER_ORGANIZATION = 40;
/** Endpoints that did not answer in time the last time share these among them, one each. */
const FOR_THE_SLOW = PLACES / 2;

export interface DeliveryPlaces {
  /** @returns false when there is none for this endpoint now: its deliveries stay due. */
  take(endpoint: Endpoint): boolean;
  giveBack(endpoint: Endpoint): void;
  /** What came of an attempt: an endpoint that let it run out of time gets one place, until it answers. */
  answered(endpointId: string, inTime: boolean): void;
  /** For whom there is no place now: deliveries of theirs must not be looked at in front of the others'. */
  full(): { endpointIds: string[]; orgIds: string[] };
}

interface Endpoint {
  id: string;
  orgId: string;
}

/**
 * Counts the attempts under way, so that receivers that hang hold a part of the places and never all of them, however many
 * there are and whosever they are.
 */
export function createDeliveryPlaces(): DeliveryPlaces {
  const byEndpoint = new Map<string, number>();
  const byOrganization = new Map<string, number>();
  const slow = new Set<string>();

  const most = (endpointId: string) => (slow.has(endpointId) ? 1 : PER_ENDPOINT);
  const takenBySlow = () => {
    let count = 0;
    for (const [id, taken] of byEndpoint) if (slow.has(id)) count += taken;
    return count;
  };

  return {
    take({ id, orgId }) {
      if ((byEndpoint.get(id) ?? 0) >= most(id)) return false;
      if ((byOrganization.get(orgId) ?? 0) >= PER_ORGANIZATION) return false;
      if (slow.has(id) && takenBySlow() >= FOR_THE_SLOW) return false;
      count(byEndpoint, id, 1);
      count(byOrganization, orgId, 1);
      return true;
    },
    giveBack({ id, orgId }) {
      count(byEndpoint, id, -1);
      count(byOrganization, orgId, -1);
    },
    answered(endpointId, inTime) {
      if (inTime) slow.delete(endpointId);
      else slow.add(endpointId);
    },
    full() {
      const full = [...byEndpoint].filter(([id, taken]) => taken >= most(id)).map(([id]) => id);
      return {
        endpointIds: takenBySlow() >= FOR_THE_SLOW ? [...new Set([...full, ...slow])] : full,
        orgIds: [...byOrganization].filter(([, taken]) => taken >= PER_ORGANIZATION).map(([id]) => id),
      };
    },
  };
}

function count(counts: Map<string, number>, key: string, more: number): void {
  const left = (counts.get(key) ?? 0) + more;
  if (left === 0) counts.delete(key);
  else counts.set(key, left);
}
