package main

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Every message id has this many digits: 7 for the connection, 12 for its CALLs.
const idDigits = 19

// Where the id begins in `[2,"…` and in the `[3,"…` of the reply.
const idOffset = 4

var mask = [4]byte{0x5a, 0xc3, 0x17, 0x8e}

// A masked text frame with a place for the id.
type template struct {
	action string
	frame  []byte
	header int
	live   *liveFields
}

// The payload of each message that is played, by its name; %s is the time. TransactionEvent is of 2.0.1, the others of 1.6.
var payloads = map[string]string{
	"Heartbeat":          `{}`,
	"StatusNotification": `{"connectorId":1,"errorCode":"NoError","info":"plugged in","status":"Charging","timestamp":"%s","vendorId":"example.com","vendorErrorCode":"0000"}`,
	"MeterValues": `{"connectorId":1,"transactionId":482913,"meterValue":[{"timestamp":"%s","sampledValue":[` +
		`{"value":"8127345","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh"},` +
		`{"value":"11021.5","context":"Sample.Periodic","measurand":"Power.Active.Import","unit":"W"},` +
		`{"value":"15.9","context":"Sample.Periodic","measurand":"Current.Import","phase":"L1","unit":"A"},` +
		`{"value":"231.4","context":"Sample.Periodic","measurand":"Voltage","phase":"L1-N","unit":"V"},` +
		`{"value":"63","measurand":"SoC","unit":"Percent"}]}]}`,
	"TransactionEvent": `{"eventType":"Updated","timestamp":"%[1]s","triggerReason":"MeterValuePeriodic","seqNo":17,"offline":false,"numberOfPhasesUsed":3,` +
		`"transactionInfo":{"transactionId":"0f9a7c52-1d3e-4b60-9a4f-5c2e7d810b6f","chargingState":"Charging","timeSpentCharging":1260},` +
		`"evse":{"id":1,"connectorId":1},"meterValue":[{"timestamp":"%[1]s","sampledValue":[` +
		`{"value":8127345,"context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unitOfMeasure":{"unit":"Wh"}},` +
		`{"value":11021.5,"context":"Sample.Periodic","measurand":"Power.Active.Import","unitOfMeasure":{"unit":"W"}},` +
		`{"value":15.9,"context":"Sample.Periodic","measurand":"Current.Import","phase":"L1","unitOfMeasure":{"unit":"A"}},` +
		`{"value":231.4,"context":"Sample.Periodic","measurand":"Voltage","phase":"L1-N","unitOfMeasure":{"unit":"V"}},` +
		`{"value":63,"measurand":"SoC","unitOfMeasure":{"unit":"Percent"}}]}]}`,
}

func templateOf(action string, now time.Time) (*template, error) {
	name, isLive := strings.CutSuffix(action, livePhase)
	payload, known := payloads[name]
	if !known {
		return nil, fmt.Errorf("no payload is known for %s", action)
	}
	if strings.Contains(payload, "%") {
		payload = fmt.Sprintf(payload, now.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	text := fmt.Sprintf(`[2,"%s","%s",%s]`, strings.Repeat("0", idDigits), name, payload)
	frame, header := maskedFrame(opText, []byte(text))
	t := &template{action: action, frame: frame, header: header}
	if isLive {
		var err error
		if t.live, err = liveFieldsOf(name, text, now); err != nil {
			return nil, err
		}
	}
	return t, nil
}

const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// RFC 6455 §5.2; up to 64 KiB.
func maskedFrame(opcode byte, payload []byte) (frame []byte, header int) {
	frame = append(frame, 0x80|opcode)
	if len(payload) < 126 {
		frame = append(frame, 0x80|byte(len(payload)))
	} else {
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(len(payload)))
	}
	frame = append(frame, mask[:]...)
	header = len(frame)
	for i, b := range payload {
		frame = append(frame, b^mask[i&3])
	}
	return frame, header
}

func (t *template) setID(id *[idDigits]byte) {
	place := t.frame[t.header+idOffset : t.header+idOffset+idDigits]
	for i := range place {
		place[i] = id[i] ^ mask[(idOffset+i)&3]
	}
}
