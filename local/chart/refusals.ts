/** Values that cannot work, on top of `ci/existing-secrets.yaml`, and what the chart says of them. */
export interface Refusal {
  settings: string[];
  says: RegExp;
}

const TRIAL = [
  "trial.enabled=true",
  'secrets.database.existingSecret=""',
  'secrets.redis.existingSecret=""',
  'secrets.smtp.existingSecret=""',
];
const INGRESS = ["ingress.enabled=true", 'trustedProxies=["10.0.0.0/8"]'];

/** One for each thing that templates or schema refuse. */
export const REFUSALS: Refusal[] = [
  { settings: ['hosts.api=""'], says: /hosts\.api: the host/ },
  { settings: ['hosts.ocpp=""'], says: /hosts\.ocpp: the host/ },
  { settings: ['publicUrls.api="http://x"'], says: /publicUrls\.api: want https/ },
  { settings: ['publicUrls.ocpp="ws://x"'], says: /publicUrls\.ocpp: want wss/ },
  { settings: ['mailFrom=""'], says: /mailFrom/ },
  { settings: ['secrets.database.existingSecret=""'], says: /secrets\.database\.existingSecret: want the name/ },
  { settings: ['secrets.redis.existingSecret=""'], says: /secrets\.redis\.existingSecret: want the name/ },
  { settings: ['secrets.smtp.existingSecret=""'], says: /secrets\.smtp\.existingSecret: want the name/ },
  {
    settings: ["secrets.generate=false"],
    says: /secrets\.stationKeys[^]*secrets\.jwt[^]*secrets\.pdf[^]*decisions\.tls/,
  },
  { settings: ["secrets.jwt.previousKeys=true"], says: /secrets\.jwt\.previousKeys without/ },
  { settings: ['decisions.tls.mode="existing"'], says: /decisions\.tls\.existingSecret: not set/ },
  { settings: ['decisions.tls.existingSecret="x"'], says: /decisions\.tls\.existingSecret is set/ },
  { settings: ["trial.enabled=true"], says: /secrets\.database\.existingSecret together with trial/ },
  { settings: [...TRIAL, 'environment="production"'], says: /trial\.enabled with environment=production/ },
  { settings: [...TRIAL, "trial.postgres.replicas=2"], says: /trial\.postgres\.replicas/ },
  { settings: [...TRIAL, "trial.redis.replicas=2"], says: /trial\.redis\.replicas/ },
  { settings: [...TRIAL, 'gateway.ack.durability="aof"'], says: /the trial's Redis/ },
  { settings: ['gateway.ack.durability="replica"'], says: /gateway\.ack\.replicas: not set/ },
  { settings: ["gateway.ack.replicas=1"], says: /gateway\.ack\.replicas is set/ },
  { settings: ["gateway.plain.enabled=false"], says: /no listener is enabled/ },
  { settings: ["gateway.tls.enabled=true"], says: /gateway\.tls\.existingSecret/ },
  {
    settings: ["gateway.mtls.enabled=true", 'gateway.tls.existingSecret="x"'],
    says: /gateway\.mtls\.caSecret/,
  },
  {
    settings: ["gateway.tls.enabled=true", 'gateway.tls.existingSecret="x"', "gateway.tls.port=9000"],
    says: /two listeners have the same port/,
  },
  { settings: ["gateway.plain.port=9100"], says: /port 9100/ },
  { settings: ["tracing.enabled=true"], says: /tracing\.endpoint: not set/ },
  { settings: ['tracing.headers.existingSecret="x"'], says: /tracing\.headers\.existingSecret is set/ },
  { settings: ['config.OTEL_TRACES_EXPORTER="otlp"'], says: /config\.OTEL_TRACES_EXPORTER: the chart sets it/ },
  {
    settings: [...INGRESS, "gateway.plain.enabled=false", "gateway.tls.enabled=true", 'gateway.tls.existingSecret="x"'],
    says: /gateway\.plain\.enabled is false/,
  },
  { settings: ["ingress.enabled=true"], says: /trustedProxies: not set/ },
  { settings: [...INGRESS, 'hosts.api=""', 'publicUrls.api="https://x"'], says: /ingress\.enabled wants hosts\.api/ },
  {
    settings: [...INGRESS, 'hosts.ocpp=""', 'publicUrls.ocpp="wss://x"'],
    says: /ingress\.ocpp\.enabled wants hosts\.ocpp/,
  },
  { settings: ["httpRoute.enabled=true", "httpRoute.ocpp=false"], says: /httpRoute\.parentRefs: not set/ },
  {
    settings: [...INGRESS, "ingress.ocpp.enabled=false", 'hosts.ocpp="api.example.com"'],
    says: /want two hosts/,
  },
  { settings: ["gateway.connectionsPerPod=100000", "gateway.drain.closesPerSecond=100"], says: /more than the 600 s/ },
  { settings: ["gateway.terminationGracePeriodSeconds=40"], says: /want 60 or more/ },
  {
    settings: ["gateway.drain.commandSeconds=30", "gateway.terminationGracePeriodSeconds=60"],
    says: /want 80 or more/,
  },
  {
    settings: ["gateway.autoscaling.enabled=true", "gateway.autoscaling.minReplicas=30"],
    says: /gateway\.autoscaling: minReplicas/,
  },
  {
    settings: ["gateway.autoscaling.enabled=true", "gateway.autoscaling.targetConnections=20000"],
    says: /above gateway\.connectionsPerPod/,
  },
  { settings: ["intake.autoscaling.enabled=true", 'autoscaling.provider="keda"'], says: /KEDA is to scale intake/ },
  { settings: ['autoscaling.keda.prometheusUrl="http://x"'], says: /one of them scales, not both/ },
  { settings: ['config.REDIS_URL="redis://x"'], says: /config\.REDIS_URL: the chart sets it/ },
  { settings: ['config.NODE_EXTRA_CA_CERTS="/x"'], says: /config\.NODE_EXTRA_CA_CERTS: the chart sets it/ },
  { settings: ['gateway.env.NODE_ID="x"'], says: /gateway\.env\.NODE_ID: the chart sets it/ },
  {
    settings: ['api.secretFiles.JWT_SIGNING_KEY={"secret":"x","key":"y"}'],
    says: /api\.secretFiles\.JWT_SIGNING_KEY: the chart sets it/,
  },
  // What the schema alone refuses.
  { settings: ["gatway.replicas=2"], says: /gatway/ },
  { settings: ["gateway.replicas=0"], says: /minimum/ },
  { settings: ['gateway.replicas="3"'], says: /gateway[./]replicas/ },
  { settings: ['gateway.ack.durability="disk"'], says: /gateway[./]ack[./]durability/ },
  { settings: ['images.gateway.digest="latest"'], says: /digest/ },
  { settings: ["podDefaults.maxUnavailable=0"], says: /maxUnavailable/ },
  { settings: ['config.logLevel="debug"'], says: /logLevel/ },
  // As YAML reads `off` and `true`.
  { settings: ["config.PAYLOAD_SCANNER=false"], says: /PAYLOAD_SCANNER': got boolean/ },
  { settings: ["intake.env.LOG_HEARTBEATS=true"], says: /LOG_HEARTBEATS': got boolean/ },
  // A network policy without ports would be for all of them.
  { settings: ["networkPolicy.redis.ports=[]"], says: /networkPolicy\/redis\/ports/ },
  { settings: ["networkPolicy.postgres.ports=[]"], says: /networkPolicy\/postgres\/ports/ },
  { settings: ["networkPolicy.smtp.ports=[]"], says: /networkPolicy\/smtp\/ports/ },
  { settings: ["networkPolicy.webhooks.ports=[]"], says: /networkPolicy\/webhooks\/ports/ },
];
